# Fixed: a change to this file cannot be approved. What the agent is stands in agent.nix.
{
  description = "@NAME@";
  inputs = { };
  outputs = { self }: {
    nixosModules.default = import ./agent.nix;
  };
}
