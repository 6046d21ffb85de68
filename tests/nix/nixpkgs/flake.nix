# Stands in for nixpkgs where tests build systems: `lib.nixosSystem` yields a closure that boots on the /usr of the
# machine the test runs on. No inputs, no network, and no sandbox (there is no shell in the store to build with).
{
  outputs = { self }:
    let lib = import ./modules.nix; in {
      lib = lib // { nixosSystem = import ./system.nix lib; };
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system: import ./packages.nix { inherit lib system; });
    };
}
