# Stands in for the flake that brings the modules every agent gets.
{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  outputs = { self, nixpkgs }: {
    nixosModules.agent = import ./agent.nix { manager = false; };
    nixosModules.manager = import ./agent.nix { manager = true; };
  };
}
