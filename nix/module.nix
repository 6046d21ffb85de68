# services.skep: a hive on this host.
{ skep }:
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkDefault mkEnableOption mkIf mkOption types;

  cfg = config.services.skep;
  json = pkgs.formats.json { };
  configFile = json.generate "skep.json" (
    lib.filterAttrs (_: v: v != null) cfg.settings // cfg.extraSettings
  );
  size = types.strMatching "[0-9]+[KMGT]?";
  libexec = "${cfg.package}/libexec/skep";
in
{
  options.services.skep = {
    enable = mkEnableOption "skep, a controller for a hive of agents in containers";

    package = mkOption {
      type = types.package;
      default = skep pkgs;
      defaultText = lib.literalExpression "the skep of this flake";
      description = "The skep package to use.";
    };

    admins = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "alice" ];
      description = "Users who may operate the hive: approve, spawn, destroy, and run commands in every container. No sudo is needed.";
    };

    readers = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "Users who may look at the hive and change nothing.";
    };

    dashboard = mkOption {
      type = types.bool;
      default = true;
      description = "Whether the dashboard is served, on loopback. `skep dashboard` makes a link that logs a browser in.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the agents' own pages (ports 8000 and 8100 to 8999) can be reached from other machines. The dashboard never can: it listens on loopback.";
    };

    tuneKernel = mkOption {
      type = types.bool;
      default = true;
      description = "Whether to raise the limits of the kernel that some thirty containers would meet: inotify instances and watches, process ids.";
    };

    restrictNix = mkOption {
      type = types.bool;
      default = false;
      description = "Whether only root, members of wheel and skep's builder may use this host's Nix daemon. Others are locked out of it.";
    };

    settings = mkOption {
      default = { };
      description = "Keys of skep.json(5). Those that are not set keep skepd's own defaults.";
      type = types.submodule {
        options = {
          driver = mkOption {
            type = types.enum [ "nixos-container" "nspawn" ];
            default = "nixos-container";
            description = "How containers of agents that are spawned without saying are run.";
          };
          builder = mkOption {
            type = types.enum [ "nix" "overlay" ];
            default = "nix";
            description = "How commits of agents that are spawned without saying become systems.";
          };
          nixpkgs = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "github:NixOS/nixpkgs/nixos-25.05";
            description = "The flake that systems of agents are made with.";
          };
          base = mkOption {
            type = types.nullOr types.str;
            default = null;
            example = "github:example/skep";
            description = "The flake whose nixosModules.agent and nixosModules.manager every agent starts from.";
          };
          network = mkOption {
            type = types.nullOr (types.enum [ "host" "private" ]);
            default = null;
            description = "Network of agents that are spawned without saying.";
          };
          dashboard_port = mkOption {
            type = types.port;
            default = 7700;
            description = "Port of the dashboard, on loopback.";
          };
          limits = mkOption {
            default = null;
            description = "Limits of agents that neither have their own nor ask for any.";
            type = types.nullOr (types.submodule {
              options = {
                memory_max = mkOption {
                  type = size;
                  default = "2G";
                  description = "Memory, in bytes or with K, M, G or T.";
                };
                cpu_quota = mkOption {
                  type = types.strMatching "[0-9]+%";
                  default = "50%";
                  description = "Percent of one CPU.";
                };
                tasks_max = mkOption {
                  type = types.ints.between 16 1000000;
                  default = 4096;
                  description = "Processes and threads.";
                };
              };
            });
          };
          max_builds = mkOption {
            type = types.nullOr (types.ints.between 1 64);
            default = null;
            description = "Builds at once.";
          };
          max_starts = mkOption {
            type = types.nullOr (types.ints.between 1 64);
            default = null;
            description = "Containers starting at once.";
          };
          proposal_days = mkOption {
            type = types.nullOr (types.ints.between 1 3650);
            default = null;
            description = "Days after which a proposal nobody decided on is cancelled.";
          };
          unbound_verdicts = mkOption {
            type = types.bool;
            default = false;
            description = "Whether an approval over the protocol may name only the number of a proposal.";
          };
        };
      };
    };

    extraSettings = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = { stop_timeout = 60; };
      description = "More keys of skep.json(5), as they are. skepd does not start with one it does not know.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.settings.builder != "nix" || (cfg.settings.nixpkgs != null && cfg.settings.base != null);
        message = "services.skep.settings.nixpkgs and .base must name flakes for the builder \"nix\".";
      }
      {
        assertion = cfg.settings.driver != "nixos-container" || cfg.settings.builder == "nix";
        message = "services.skep: the driver \"nixos-container\" runs NixOS systems, which only the builder \"nix\" makes.";
      }
      {
        assertion = cfg.settings.builder != "overlay";
        message = "services.skep: the builder \"overlay\" lays agents over a /usr, which a NixOS host does not have.";
      }
      {
        assertion = !(cfg.extraSettings ? state_dir || cfg.extraSettings ? runtime_dir);
        message = "services.skep: state and sockets are where the units have them; state_dir and runtime_dir cannot be set.";
      }
    ];

    # container@.service is there only when some container is, or this is said.
    boot.enableContainers = mkDefault true;
    boot.kernel.sysctl = mkIf cfg.tuneKernel {
      "fs.inotify.max_user_instances" = mkDefault 8192;
      "fs.inotify.max_user_watches" = mkDefault 524288;
      "kernel.pid_max" = mkDefault 4194304;
    };

    environment.systemPackages = [ cfg.package ];
    networking.firewall = mkIf cfg.openFirewall {
      allowedTCPPorts = [ 8000 ];
      allowedTCPPortRanges = [
        {
          from = 8100;
          to = 8999;
        }
      ];
    };

    nix.settings = {
      experimental-features = [ "nix-command" "flakes" ];
      # What agents wrote is built here.
      sandbox = mkDefault true;
      sandbox-fallback = mkDefault false;
      allowed-users = mkIf cfg.restrictNix [ "root" "@wheel" "skep-build" ];
    };

    users.users.skep = {
      isSystemUser = true;
      group = "skep";
      extraGroups = [ "skep-build" ];
      description = "skep controller";
    };
    users.users.skep-build = {
      isSystemUser = true;
      group = "skep-build";
      description = "skep builder";
    };
    users.users.skep-web = {
      isSystemUser = true;
      group = "skep-web";
      description = "skep dashboard";
    };
    users.groups = {
      skep = { };
      skep-build = { };
      skep-web = { };
      skep-admin.members = cfg.admins;
      skep-read.members = cfg.readers;
    };

    systemd.packages = [ cfg.package ];
    systemd.tmpfiles.packages = [ cfg.package ];
    systemd.sockets = {
      skepd.wantedBy = [ "sockets.target" ];
      skepd-read.wantedBy = [ "sockets.target" ];
      skep-exec.wantedBy = [ "sockets.target" ];
      skepd-web.wantedBy = mkIf cfg.dashboard [ "sockets.target" ];
      skep-web = mkIf cfg.dashboard {
        wantedBy = [ "sockets.target" ];
        listenStreams = [
          ""
          "127.0.0.1:${toString cfg.settings.dashboard_port}"
          "[::1]:${toString cfg.settings.dashboard_port}"
        ];
      };
    };
    systemd.services.skepd = {
      wantedBy = [ "multi-user.target" ];
      restartTriggers = [ configFile ];
      serviceConfig.ExecStart = [
        ""
        "${libexec}/skepd --config ${configFile}"
      ];
    };
    # Containers are no business of a host's rebuild.
    systemd.services."skep-agent@".restartIfChanged = false;
  };
}
