#!/usr/bin/env bats
# What an agent may write into its module to get at something else while it is evaluated: all of it is failed/N, and
# nothing it was after has happened.
# shellcheck disable=SC2016 # what is quoted is for Nix

bats_require_minimum_version 1.5.0
load lib/common
load lib/hive
load lib/nix

setup_file() {
	nix_hive_up proposals_per_hour=1000 'build_memory_max="2G"'
	skep spawn hm1nd
	skep spawn alice --builder nix
	skep spawn bob --builder nix
	host_is_up
}

teardown_file() {
	host_down
}

teardown() {
	save_when_failed
}

# refused MODULE WORD: it cannot be built, and says why
refused() {
	local leader
	leader=$(shown alice leader)
	propose_nix alice "$1"
	run -6 approve
	contains "$output" "$2"
	equal "$leader" "$(shown alice leader)"
}

@test "no file of the machine, and nothing over the network" {
	in_host sh -c 'echo secret > /srv/secret; chmod 644 /srv/secret'
	refused '{ environment.etc.x.text = builtins.readFile "/srv/secret"; }' forbidden
	refused '{ environment.etc.x.text = builtins.readFile /etc/passwd; }' forbidden
	refused '{ environment.etc.x.text = builtins.readFile (builtins.fetchurl "file:///srv/secret"); }' forbidden
	refused '{ environment.etc.x.text = builtins.readFile (builtins.fetchTarball { url = "http://127.0.0.1:1/x"; sha256 = "0000000000000000000000000000000000000000000000000000"; }); }' 'forbidden in restricted mode'
}

@test "another agent's repository is none of its business" {
	rev=$(applied bob rev-parse main)
	refused "{ environment.etc.x.text = toString (builtins.fetchGit { url = \"file:///var/lib/skep/applied/bob\"; rev = \"$rev\"; }); }" forbidden
}

@test "no import from what was built" {
	refused '{ imports = [ (import (derivation { name = "x"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo { } > $out" ]; })) ]; }' import-from-derivation
}

@test "no end and no bottom" {
	refused '{ environment.etc.x.text = let f = n: f (n + 1) + 1; in toString (f 0); }' 'Nix exited'
	refused '{ environment.etc.x.text = let x = x; in x; }' recursion
	refused '{ environment.etc.x.text = toString (builtins.length (builtins.genList (n: n * 2) 1500000000)); }' 'out of memory'
}

@test "flake.nix cannot be changed at all" {
	propose alice 'printf "%s\n" "{ nixConfig.post-build-hook = \"/bin/touch\"; outputs = { self }: { nixosModules.default = { }; }; }" > flake.nix' 'a hook'
	run -8 approve --ack flake-changed
	contains "$output" flake-changed
	equal needs-review "$(state_of "$N")"
	follow alice
}
