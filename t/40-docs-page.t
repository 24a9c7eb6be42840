#!/usr/bin/perl
# SPDX-License-Identifier: MIT

# What the server says of itself: the two documents and the page of both. The
# page is whole without its script, allows exactly what is in it, and needs no
# other host.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Compress::Zlib qw(memGunzip);
use Digest::SHA    qw(sha256_base64);
use Encode         qw(decode);
use Mojo::DOM;
use Mojo::JSON qw(decode_json);
use Test::More;
use T::Command;
use T::Http;
use T::Server;
use T::Table;
use T::Tree;

my $server = T::Server->prepare(workers => 2);
my $said = $server->partyline('tenant', 'add', 'den', '--set',
	'database_url=' . $server->db->url);

is($said->{exit}, 0, 'a tenant more') or diag $said->{err};
$server->spawn;
ok($server->wait_ready('readyz'), 'the server is ready');

my $page = T::Http->get($server, '/docs')->{body};

# The standard alphabet of base64, with its = at the end.
sub hash {
	my ($bytes) = @_;

	return "'sha256-" . sha256_base64($bytes) . "='";
}

sub elements {
	my ($name) = @_;

	return $page =~ m{<$name>(.*?)</$name>}gs;
}

subtest 'documents' => sub {
	for my $name (qw(openapi asyncapi)) {
		my $printed = partyline('-x', $name)->{out};

		for my $path ("/$name.json", "/t/den/$name.json") {
			my $answer = T::Http->get($server, $path);

			is($answer->{status}, 200, $path);
			is($answer->{headers}{'content-type'},
				'application/json', 'JSON');
			is($answer->{headers}{'cache-control'}, 'no-cache',
				'that may be kept');
			ok($answer->{body} eq $printed,
				"as -x $name prints it");
		}
	}
	is(T::Http->get($server, '/t/nobody/openapi.json')->{status}, 404,
		'of no tenant, none');
};

subtest 'tags and compression' => sub {
	for my $path (qw(/docs /openapi.json /asyncapi.json)) {
		my $plain = T::Http->get($server, $path);
		my $tag   = $plain->{headers}{etag};

		like($tag, qr/\A"[0-9a-f]{32}"\z/, "$path: a tag");
		is(T::Http->get($server, $path)->{headers}{etag}, $tag,
			'the same from every worker') for 1 .. 4;
		my $kept = T::Http->get($server, $path, 'If-None-Match',
			$tag);
		is($kept->{status}, 304, 'which a client may come with');
		my ($first, $second) = map { T::Http->get($server, $path,
			'Accept-Encoding' => 'gzip') } 1, 2;
		is($first->{headers}{'content-encoding'}, 'gzip', 'packed');
		like($first->{headers}{vary}, qr/Accept-Encoding/, 'said so');
		ok(memGunzip($_->{body}) eq $plain->{body},
			'and the same') for $first, $second;
		is($first->{headers}{etag}, $tag =~ s/"\z/-gz"/r,
			'with a tag of its own');
		cmp_ok(length $first->{body}, '<',
			length($plain->{body}) / 4, 'much shorter');
		is(T::Http->request($server, 'HEAD', $path)->{headers}
			{'content-length'}, length $plain->{body}, 'HEAD');
		is(T::Http->request($server, 'POST', $path)->{status}, 405,
			'nothing else');
	}
};

subtest 'headers of the page' => sub {
	for my $path ('/docs', '/docs/', '/t/den/docs') {
		my $answer  = T::Http->get($server, $path);
		my $headers = $answer->{headers};
		my @style   = $answer->{body} =~ m{<style>(.*?)</style>}gs;
		my @script  = $answer->{body} =~ m{<script>(.*?)</script>}gs;

		is($answer->{status}, 200, $path);
		is($headers->{'content-type'}, 'text/html; charset=utf-8',
			'HTML');
		is("@{[scalar @style]} @{[scalar @script]}", '1 1',
			'one style, one script');
		is_deeply([sort split /; /,
			$headers->{'content-security-policy'}], [sort
			"default-src 'none'", "base-uri 'none'",
			"connect-src 'self'", "form-action 'none'",
			"frame-ancestors 'none'", 'img-src data:',
			'script-src ' . hash($script[0]),
			'style-src ' . hash($style[0])],
			'exactly what is in it');
		is((grep { lc $_->[0] eq 'content-security-policy' }
			@{ $answer->{names} }) + 0, 1, 'one policy');
		is($headers->{'x-content-type-options'}, 'nosniff', 'the rest');
		is($headers->{'x-frame-options'}, 'DENY', 'is as ever');
		is($headers->{'referrer-policy'}, 'no-referrer', 'with it');
		is($headers->{'access-control-allow-origin'}, '*',
			'and may be read');
		ok($answer->{body} eq $page, 'the same page');
	}
};

subtest 'nothing from elsewhere, nothing that the policy forbids' => sub {
	unlike($page =~ s/<pre.*?<\/pre>//gsr, qr{\b(?:https?|wss?):/?/},
		'no address of a host');
	unlike($page, qr/[\s"']style=|\son\w+=|javascript:|<iframe|<object/,
		'no style or script in attributes');
	unlike($page, qr/@(?:import|font-face)|\burl\(/, 'no more styles');
	unlike(join('', elements('script')), qr/innerHTML|insertAdjacentHTML
		|document\.write|\beval\b|new\ Function/x,
		'no text that becomes a part of the page');
	my $dom = Mojo::DOM->new(decode('UTF-8', $page));
	is_deeply($dom->find('[href]')->map(attr => 'href')->grep(sub {
		!/\A(?:#[\w-]+|(?:open|async)api\.json|data:,)\z/
	})->to_array, [], 'links stay here');
	is($dom->find('[src]')->size, 0, 'nothing is loaded');
};

# Every element is closed where it belongs, every attribute is quoted, and
# nothing is left that should have been escaped.
subtest 'HTML' => sub {
	my %void = map { $_ => 1 } qw(meta link br input);
	my (@open, @wrong);
	my $rest = $page =~ s/\A<!DOCTYPE html>\n//r
	    =~ s{(<(?:style|script)>).*?(</)}{$1$2}gsr;

	while ($rest =~ m{([^<]*)(?:<(/?)(\w+)([^<>]*)>)?}g) {
		my ($words, $ends, $name, $more) = ($1, $2, $3, $4);

		push @wrong, "loose: $words" if $words
		    =~ />|&(?!(?:amp|lt|gt|quot);)/;
		next if !defined $name;
		push @wrong, "<$name$more>" if $more
		    !~ m{\A(?:\s[\w-]+="[^"<>]*")*/?\z};
		if ($ends) {
			my $last = pop @open // 'nothing';

			push @wrong, "</$name> ends $last" if $last ne $name;
		} elsif (!$void{$name}) {
			push @open, $name;
		}
	}
	push @wrong, "open: @open" if @open;
	is_deeply(\@wrong, [], 'well formed');
	ok(eval { decode('UTF-8', $page,
		Encode::FB_CROAK | Encode::LEAVE_SRC); 1 }, 'UTF-8');

	my $dom = Mojo::DOM->new(decode('UTF-8', $page));
	my %seen;
	$seen{$_}++ for @{ $dom->find('[id]')->map(attr => 'id') };
	is_deeply([grep { $seen{$_} > 1 } sort keys %seen], [],
		'each id is there once');
	is_deeply([grep { /\A#(.+)/ && !$seen{$1} }
		@{ $dom->find('[href]')->map(attr => 'href') }], [],
		'each link leads somewhere');
	is_deeply([grep { !$seen{$_} } map { split ' ' }
		@{ $dom->find('[aria-labelledby]')
		->map(attr => 'aria-labelledby') }], [], 'so does each label');
};

subtest 'for everybody' => sub {
	my $dom = Mojo::DOM->new(decode('UTF-8', $page));
	my (@jumps, $last);

	is($dom->at('html')->attr('lang'), 'en', 'a language');
	ok($dom->at('title')->text, 'a title');
	is($dom->find($_)->size, 1, "one $_") for qw(header nav main h1);
	is($dom->at('body')->children->first->attr('href'), '#content',
		'first a way to the content');
	for my $heading (@{ $dom->find('h1, h2, h3, h4, h5, h6') }) {
		my $level = substr $heading->tag, 1;

		push @jumps, $heading->all_text
		    if $level > ($last // 0) + 1;
		$last = $level;
	}
	is_deeply(\@jumps, [], 'headings go down one by one');
	is($dom->find('th:not([scope])')->size, 0, 'each head has a scope');
	ok($dom->at('[aria-live]'), 'a place where changes are said');
};

subtest 'each row is on it' => sub {
	my $dom = Mojo::DOM->new(decode('UTF-8', $page));
	my $plain = sub { $_[0]->all_text =~ s/\s+/ /gr };
	my %expected;

	for my $row (grep { $_->{door} eq 'FRONT' }
		T::Table->rows('operations')) {
		my $it = $dom->at("#operation-$row->{name}");
		my $words = $it ? $plain->($it) : '';

		$expected{"operation-$row->{name}"} = 1;
		like($words, qr/^ ?$row->{method} \Q$row->{path}\E/,
			$row->{name});
		like($words, qr/\Q$row->{text}\E/, 'what it is for');
		is_deeply($it->find('table tbody th code')->map('text')
			->to_array, [map { $_->{name} }
			@{ $row->{inputs} }], 'what it is given');
		for my $input (@{ $row->{inputs} }) {
			like($words, qr/\Q$input->{text}\E/,
				"$input->{name}: what it means");
			my @codes = grep { defined && $_ ne 'none' }
			    @$input{qw(missing invalid)};
			like($words, qr/\b\Q$_\E:/, "may be refused: $_")
			    for @codes;
		}
	}
	for my $event (T::Table->rows('events')) {
		my $it = $dom->at("#event-$event->{name}");

		$expected{"event-$event->{name}"} = 1;
		like($it ? $plain->($it) : '', qr/\Q$event->{type}\E.*
			\Q$event->{text}\E/x, $event->{type});
	}
	# The live door's, and what the other doors say beside events.
	my $said = $server->get('/asyncapi.json');
	for my $name ((map { $_->{name} } T::Table->rows('messages')),
		grep { !/^event_/ } keys %{ decode_json(
			$said->{body})->{components}{messages} }) {
		$expected{"message-$name"} = 1;
		ok($dom->at("#message-$name"), $name);
	}
	is_deeply([sort @{ $dom->find('article')->map(attr => 'id') }],
		[sort keys %expected], 'and nothing else');
	is_deeply([sort @{ $dom->at('#refusals')->parent->find('td code')
		->map('text') }], [map { $_->{name} }
		T::Table->rows('errors')], 'every refusal, once');
};

T::Evidence::record(operation => qw(docs openapi asyncapi));
done_testing;
