# SPDX-License-Identifier: MIT
package T::Db;

# A database of its own for whoever asks, cloned from the run's template: it
# is migrated, and belongs to a role that is no superuser, as one of the
# product does.
#
#	my $db = T::Db->new;
#	T::Server->start(set => { database_url => $db->url });
#	is($db->query('SELECT count(*) FROM thing'), 3);
#	my $db = T::Db->new(empty => 1);	nobody migrated it
#	T::Run::migrate($db->url($T::Db::owner));
#
# url logs in as the server does; $T::Db::owner owns the schema, and as
# $T::Db::super, like query, everything may be done.

use strict;
use warnings;
use T::Run;

our ($login, $owner, $super) = @T::Run::roles;
my $made = 0;

sub new {
	my ($class, %options) = @_;
	my $template = $options{empty} ? 'template0' : 'partyline_template';
	my $self = bless {
		name => "t_$$" . '_' . ++$made,
		pid  => $$,
	}, $class;

	T::Run::psql('postgres', "CREATE DATABASE $self->{name} "
		. "TEMPLATE $template OWNER $owner");
	return $self;
}

sub name { return $_[0]{name} }

sub url {
	my ($self, $role) = @_;

	return T::Run::url($self->{name}, $role // $login);
}

sub query {
	my ($self, $sql) = @_;

	return T::Run::psql($self->{name}, $sql);
}

sub DESTROY {
	my ($self) = @_;

	return if $self->{pid} != $$ || ${^GLOBAL_PHASE} eq 'DESTRUCT';
	local ($@, $?);
	eval {
		T::Run::psql('postgres',
			"DROP DATABASE IF EXISTS $self->{name} WITH (FORCE)");
	};
	return;
}

1;
