{
  description = "skep: a git-native controller for a hive of agents";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      eachSystem =
        f: lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system: f nixpkgs.legacyPackages.${system});
      skep = pkgs: pkgs.callPackage ./nix/package.nix { };
    in
    {
      packages = eachSystem (pkgs: {
        default = skep pkgs;
        skep = skep pkgs;
      });

      overlays.default = final: _: { skep = skep final; };

      nixosModules = {
        default = import ./nix/module.nix { inherit skep; };
        # What runs inside: the base of every agent, and of the manager.
        agent = import ./nix/agent.nix { manager = false; };
        manager = import ./nix/agent.nix { manager = true; };
      };

      checks = eachSystem (pkgs: {
        package = skep pkgs;
        module = import ./nix/check.nix { inherit pkgs self; };
        vm = import ./nix/vm-test.nix { inherit pkgs self nixpkgs; };
      });

      devShells = eachSystem (pkgs: {
        default = pkgs.mkShell {
          inputsFrom = [ (skep pkgs) ];
          packages = [
            pkgs.bats
            pkgs.chromium
            pkgs.clang
            pkgs.clang-tools
            pkgs.iproute2
            pkgs.jq
            pkgs.less
            pkgs.nix
            pkgs.procps
            pkgs.python3
            pkgs.shellcheck
            pkgs.socat
            pkgs.spin
            pkgs.valgrind
          ];
        };
      });

      formatter = eachSystem (pkgs: pkgs.nixfmt-tree);
    };
}
