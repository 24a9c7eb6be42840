# SPDX-License-Identifier: MIT
#
# Node 20 and the packages of peers/package.json. They are installed with npm
# into build/bench, once, and never into the source folder. Where the
# system's node is another or has no headers, npm's own `node` package is
# taken, since better-sqlite3 is compiled.
#
#	my $node = Bench::Node->ready($build);
#	spawn($log, $node->command, "$peers/express.js", $file);
package Bench::Node;

use strict;
use warnings;

use Bench qw(said);
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Copy qw(copy);

my $peers = dirname(abs_path(__FILE__)) . '/../peers';

# A folder with bin/node and include/node of Node 20, or nothing.
sub complete {
	my ($program) = @_;
	my $real = abs_path($program) // return;
	my $root = dirname(dirname($real));
	return if !-x $real || qx($real --version) !~ /^v20\./;
	return if !-e "$root/include/node/node.h";
	return $root;
}

sub find {
	my ($folder) = @_;
	my @places = (
		glob("$folder/node/node_modules/node-*/bin/node"),
		glob("$folder/node/node_modules/node/node_modules/"
			  . 'node-*/bin/node'),
		map { "$_/node" } split /:/, $ENV{PATH});
	for my $place (grep { -x } @places) {
		my $root = complete($place);
		return $root if $root;
	}
	return;
}

sub npm {
	my ($folder, $log, @words) = @_;
	print STDERR "npm @words (the first time only)\n";
	system("cd '$folder' && npm @words --no-audit --no-fund "
		  . ">'$log' 2>&1 </dev/null") == 0
	  or die "npm @words:\n", said($log);
	return;
}

sub ready {
	my ($class, $build) = @_;
	my $folder = "$build/bench";
	for my $wanted ($folder, "$folder/node") {
		mkdir $wanted or -d $wanted or die "$wanted: $!";
	}
	if (!find($folder)) {
		put("$folder/node/package.json", '{"private":true,'
			  . '"dependencies":{"node":"20"},'
			  . '"allowScripts":{"node":true}}');
		npm("$folder/node", "$folder/node.log", 'install');
	}
	my $root = find($folder)
	  // die "npm's node package has no Node 20 for this machine\n";
	local $ENV{PATH} = "$root/bin:$ENV{PATH}";
	local $ENV{npm_config_nodedir} = $root;
	my $stamp = "$folder/installed";
	my $list  = "$peers/package.json";
	my $wanted = join "\n", $root, slurp($list);
	if (!-e $stamp || slurp($stamp) ne $wanted) {
		copy($list, "$folder/package.json") or die "$list: $!";
		npm($folder, "$folder/npm.log", 'install');
		put($stamp, $wanted);
	}
	return bless { root => $root, modules => "$folder/node_modules" },
	  $class;
}

sub slurp {
	my ($path) = @_;
	open my $file, '<', $path or die "$path: $!";
	local $/;
	return <$file>;
}

sub put {
	my ($path, $content) = @_;
	open my $file, '>', $path or die "$path: $!";
	print {$file} $content;
	close $file or die "$path: $!";
	return;
}

# The words that run a script of peers/ with the packages in its reach.
sub command {
	my ($self, $script, @arguments) = @_;
	return ('env', "NODE_PATH=$self->{modules}", 'NODE_ENV=production',
		"$self->{root}/bin/node", "$peers/$script", @arguments);
}

sub version {
	my ($self) = @_;
	chomp(my $version = qx($self->{root}/bin/node --version));
	return "node $version";
}

# Of a package, as it was installed.
sub package_version {
	my ($self, $name) = @_;
	my $text = slurp("$self->{modules}/$name/package.json");
	return "$name " . ($text =~ /"version":\s*"([^"]+)"/)[0];
}

1;
