# SPDX-License-Identifier: MIT
package T::Games;

# A catalog for a test, in place of the one that a server begins with.
#
#	T::Games::clear($db);
#	my $id = T::Games::add($db, title => 'Quiplash 3',
#	    pack_name => 'Pack 7', game_type => 'Writing', favor_bias => 1);
#	T::Games::favor($db, 'Pack 7', -1);
#
# Columns are those of partyline.game; tenant: its id, else 1.

use strict;
use warnings;

my $time = q{'2026-03-15T19:00:00.000Z'};
my $made = 0;

sub quoted {
	my ($value) = @_;

	return 'NULL' if !defined $value;
	utf8::encode($value);
	return "'" . $value =~ s/'/''/gr . "'";
}

sub clear {
	my ($db, $tenant) = @_;

	$db->query("DELETE FROM partyline.pack WHERE tenant_id = "
		. ($tenant // 1));
	return;
}

sub next_id {
	my ($db, $tenant, $noun) = @_;

	return 0 + $db->query("INSERT INTO partyline.counter AS c
		VALUES ($tenant, '$noun', 1) ON CONFLICT (tenant_id, noun)
		DO UPDATE SET last = c.last + 1 RETURNING last");
}

sub add {
	my ($db, %game) = @_;
	my $tenant = delete $game{tenant} // 1;

	%game = (
		title       => 'Game ' . ++$made,
		pack_name   => 'Pack',
		min_players => 1,
		max_players => 8,
		%game
	);
	my $pack = quoted($game{pack_name});
	$db->query("INSERT INTO partyline.pack (tenant_id, id, name,
		created_at, created_text) VALUES ($tenant, "
		. next_id($db, $tenant, 'pack') . ", $pack, $time, $time)")
	    if !$db->query("SELECT count(*) FROM partyline.pack
		WHERE tenant_id = $tenant AND name = $pack");
	my $id = next_id($db, $tenant, 'game');
	my @names = sort keys %game;
	$db->query("INSERT INTO partyline.game (tenant_id, id, created_at,
		created_text, " . join(', ', @names) . ") VALUES ($tenant,
		$id, $time, $time, "
		. join(', ', map { quoted($game{$_}) } @names) . ')');
	return $id;
}

sub favor {
	my ($db, $pack, $bias, $tenant) = @_;

	$db->query("UPDATE partyline.pack SET favor_bias = $bias
		WHERE tenant_id = @{[$tenant // 1]} AND name = "
		. quoted($pack));
	return;
}

1;
