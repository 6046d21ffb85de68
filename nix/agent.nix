# What runs inside: the base of every agent. The agent's own module comes on top, and says what it does.
{ manager }:
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  inherit (lib) mkDefault mkOption types;
  id = config.skep.identity;
  # The option was renamed; the old name still works where there is no new one.
  container =
    if options ? boot && options.boot ? isNspawnContainer then
      { isNspawnContainer = true; }
    else
      { isContainer = true; };
in
{
  options.skep.identity = {
    name = mkOption {
      type = types.strMatching "[a-z][a-z0-9-]{0,31}";
      description = "The agent's name.";
    };
    label = mkOption {
      type = types.str;
      default = id.name;
      defaultText = lib.literalExpression "config.skep.identity.name";
      description = "What people are shown.";
    };
    role = mkOption {
      type = types.enum [ "agent" "manager" ];
      default = if manager then "manager" else "agent";
      description = "What it may ask of the controller.";
    };
    port = mkOption {
      type = types.port;
      description = "The port its own page is served on.";
    };
    dashboardPort = mkOption {
      type = types.port;
      default = 7700;
      description = "The port of the hive's dashboard.";
    };
  };

  config = {
    assertions = [
      {
        assertion = (id.role == "manager") == manager;
        message = "'${id.name}' has the role '${id.role}' and the base of the other one.";
      }
    ];

    boot = container;
    networking.hostName = mkDefault id.name;
    networking.useDHCP = mkDefault false;
    # The container may not change filters, and its network is the host's or none.
    networking.firewall.enable = mkDefault false;
    # The host's daemon is hidden, and the store is read-only.
    nix.enable = mkDefault false;
    documentation.enable = mkDefault false;
    services.journald.extraConfig = "SystemMaxUse=64M";
    system.stateVersion = mkDefault "25.05";

    systemd.globalEnvironment = {
      HIVE_PORT = toString id.port;
      HIVE_LABEL = id.label;
      HIVE_DASHBOARD_PORT = toString id.dashboardPort;
    };
    # The hive's client, for whoever logs in.
    environment.extraInit = ''
      export PATH="$PATH:/run/hive/bin"
    '';
    environment.systemPackages = [ pkgs.git ];
    programs.git = {
      enable = true;
      config.user = {
        name = mkDefault id.name;
        email = mkDefault "${id.name}@hive";
      };
    };
  };
}
