# SPDX-License-Identifier: MIT
package T::Db;

# A database of its own for whoever asks, cloned from the run's template.
#
#	my $db = T::Db->new;
#	T::Server->start(set => { database_url => $db->url });
#	is($db->query('SELECT count(*) FROM thing'), 3);

use strict;
use warnings;
use T::Run;

my $made = 0;

sub new {
	my ($class) = @_;
	my $self = bless {
		name  => "t_$$" . '_' . ++$made,
		owner => $$,
	}, $class;

	T::Run::psql('postgres',
		"CREATE DATABASE $self->{name} TEMPLATE partyline_template");
	return $self;
}

sub name { return $_[0]{name} }

sub url {
	my ($self) = @_;

	return "postgresql://partyline\@/$self->{name}?host="
	    . T::Run::sockets();
}

sub query {
	my ($self, $sql) = @_;

	return T::Run::psql($self->{name}, $sql);
}

sub DESTROY {
	my ($self) = @_;

	return if $self->{owner} != $$ || ${^GLOBAL_PHASE} eq 'DESTRUCT';
	local ($@, $?);
	eval {
		T::Run::psql('postgres',
			"DROP DATABASE IF EXISTS $self->{name} WITH (FORCE)");
	};
	return;
}

1;
