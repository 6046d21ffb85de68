{ manager }:
{ config, lib, ... }:
let id = config.skep.identity; in {
  options.skep.identity = {
    name = lib.mkOption { type = lib.types.str; };
    port = lib.mkOption { type = lib.types.port; };
    role = lib.mkOption { type = lib.types.enum [ "agent" "manager" ]; default = "agent"; };
    label = lib.mkOption { type = lib.types.str; default = id.name; };
    dashboardPort = lib.mkOption { type = lib.types.port; default = 7700; };
  };
  config = {
    networking.hostName = lib.mkDefault id.name;
    systemd.globalEnvironment = {
      HIVE_PORT = toString id.port;
      HIVE_LABEL = id.label;
      HIVE_DASHBOARD_PORT = toString id.dashboardPort;
    };
    environment.etc."skep-role".text = if manager then "manager\n" else "agent\n";
  };
}
