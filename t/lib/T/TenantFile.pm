# SPDX-License-Identifier: MIT
package T::TenantFile;

# What tests of `partyline tenant export` and `import` have in common.
#
#	is(tenant($db, 'export', 'alpha', $path)->{exit}, 0);
#	my $out = good(tenant($db, 'import', 'beta', $path), 'put back');
#	write_file($path, closed(without_end(bytes($path)) =~ s/x/y/r));
#	my $before = everything($db);	of all tables, as text to compare
#	my $ann = somebody($server, 'beta');	whom both workers know

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Exporter   'import';
use JSON::PP   ();
use Test::More ();
use T::Client;
use T::Command;
use T::Wait;

our @EXPORT = qw(bytes closed everything good somebody tenant without_end
    write_file);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

sub tenant {
	my ($db, @words) = @_;
	my @options = ref $words[0] ? shift @words : ();

	return partyline(@options, 'tenant', @words, '--set',
		'database_url=' . $db->url);
}

sub good {
	my ($said, $name) = @_;

	Test::More::is($said->{exit}, 0, $name)
	    or Test::More::diag($said->{err});
	Test::More::is($said->{err}, '', "$name: nothing to complain of");
	return $said->{out};
}

sub bytes { return T::Command::slurp($_[0]) }

sub write_file {
	my ($path, $bytes) = @_;

	open my $file, '>:raw', $path or die "$path: $!\n";
	print $file $bytes;
	close $file or die "$path: $!\n";
	return $path;
}

# Bytes with the last line that they ought to have.
sub closed {
	my ($bytes) = @_;
	my (%rows, $table);

	for my $line (split /\n/, $bytes) {
		if ($line =~ /^\{"table" *: *"(\w+)"/) {
			$rows{ $table = $1 } = 0;
		} elsif ($line =~ /^\[/) {
			$rows{$table}++;
		}
	}
	return $bytes . $json->encode({ rows => \%rows,
		sha256 => sha256_hex($bytes) }) . "\n";
}

sub without_end { return $_[0] =~ s/^.*\n\z//mr }

# Everything that there is in a database, but for what others write.
sub everything {
	my ($db) = @_;

	return $db->query(q{SELECT relname, md5(query_to_xml(format(
		'SELECT t::text FROM partyline.%I t ORDER BY 1', relname), true,
		true, '')::text) FROM pg_class WHERE relkind = 'r'
		AND relnamespace = 'partyline'::regnamespace
		AND relname NOT IN ('host', 'work') ORDER BY 1});
}

# Somebody in a tenant that all workers have heard of, as it is now.
sub somebody {
	my ($server, $slug, %options) = @_;

	for my $worker (1, 2) {
		my $who = T::Client->new($server, tenant => $slug,
			worker => $worker);
		my $epoch = $server->db->query(qq{SELECT s.epoch
			FROM partyline.stream s JOIN partyline.tenant t
			ON t.id = s.tenant_id WHERE t.slug = '$slug'
			AND s.name = 'lobby'});

		wait_until {
			my $told = $who->get('/api/events');

			($told->{json}{epoch} // '') eq $epoch;
		} 10 or die "worker $worker never heard of $slug\n";
	}
	return T::Client->new($server, tenant => $slug, name => 'Ann',
		%options);
}

1;
