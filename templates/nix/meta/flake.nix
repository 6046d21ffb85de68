# What runs in this hive: one system per agent. Written by skepd, which changes nothing here but the list of inputs;
# what an agent is comes from agents.json, and which commit of it runs from flake.lock.
{
  description = "the systems of a hive";

  inputs = {
@INPUTS@
  };

  outputs = inputs:
    let
      hive = builtins.fromJSON (builtins.readFile ./agents.json);
      built = builtins.filter (name: hive.agents.${name}.builder == "nix") (builtins.attrNames hive.agents);
      system = name:
        let agent = hive.agents.${name}; in
        inputs.nixpkgs.lib.nixosSystem {
          modules = [
            inputs.base.nixosModules.${agent.role}
            inputs."agent-${name}".nixosModules.default
            { skep.identity = { inherit name; inherit (agent) port; label = name; dashboardPort = hive.dashboard_port; }; }
          ];
        };
    in
    {
      nixosConfigurations = builtins.listToAttrs (map (name: { inherit name; value = system name; }) built);
    };
}
