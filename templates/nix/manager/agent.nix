# What runs in the container of @NAME@, the manager: a NixOS module. Who it is (its name, port and label) comes from the hive.
{ pkgs, ... }:
{
  imports = [ ];

  # environment.systemPackages = [ pkgs.ripgrep ];

  # systemd.services.agent = {
  #   wantedBy = [ "multi-user.target" ];
  #   script = "exec my-agent --port $HIVE_PORT";
  # };
}
