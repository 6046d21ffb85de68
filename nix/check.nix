# Evaluates both modules over declarations of the options they set, without the rest of NixOS, and compares what comes
# out. A derivation where all is as it should be; `result` alone is the list of what is not.
{ pkgs, self ? null, lib ? pkgs.lib }:
let
  inherit (lib) mkOption types;
  free = mkOption { type = types.attrsOf types.anything; default = { }; };

  stubs = {
    options = {
      assertions = mkOption { type = types.listOf types.anything; default = [ ]; };
      boot.enableContainers = mkOption { type = types.bool; default = false; };
      boot.isNspawnContainer = mkOption { type = types.bool; default = false; };
      boot.kernel.sysctl = free;
      documentation.enable = mkOption { type = types.bool; default = true; };
      environment.extraInit = mkOption { type = types.lines; default = ""; };
      environment.systemPackages = mkOption { type = types.listOf types.anything; default = [ ]; };
      networking.hostName = mkOption { type = types.str; default = "nixos"; };
      networking.useDHCP = mkOption { type = types.bool; default = true; };
      networking.firewall = free;
      nix.enable = mkOption { type = types.bool; default = true; };
      nix.settings = free;
      programs.git = free;
      services.journald.extraConfig = mkOption { type = types.lines; default = ""; };
      system.stateVersion = mkOption { type = types.str; default = "0"; };
      systemd.globalEnvironment = free;
      systemd.packages = mkOption { type = types.listOf types.anything; default = [ ]; };
      systemd.services = free;
      systemd.sockets = free;
      systemd.tmpfiles.packages = mkOption { type = types.listOf types.anything; default = [ ]; };
      users.groups = free;
      users.users = free;
    };
    config._module.args.pkgs = pkgs // {
      formats.json = _: {
        type = types.anything;
        generate = _: value: builtins.toJSON value;
      };
    };
  };

  evaluate = module: settings: (lib.evalModules { modules = [ stubs module settings ]; }).config;
  package = { type = "derivation"; outPath = "/nix/store/skep"; name = "skep"; };
  host = evaluate (import ./module.nix { skep = _: package; });
  agent = manager: evaluate (import ./agent.nix { inherit manager; });
  flakes.services.skep.settings = { nixpkgs = "path:/n"; base = "path:/b"; };
  on = more: host { imports = [ flakes more ]; services.skep.enable = true; };
  failed = config: map (a: a.message) (lib.filter (a: !a.assertion) config.assertions);
  fails = value: !(builtins.tryEval (builtins.deepSeq value true)).success;
  # The file skepd is given.
  settings = config:
    builtins.fromJSON (lib.last (lib.filter builtins.isString (builtins.split "--config " (lib.last config.systemd.services.skepd.serviceConfig.ExecStart))));

  result = lib.runTests {
    testOffChangesNothing = {
      expr = let c = host { }; in [ c.boot.enableContainers c.systemd.packages c.users.users c.nix.settings ];
      expected = [ false [ ] { } { } ];
    };
    testContainersAndUnits = {
      expr = let c = on { }; in [ c.boot.enableContainers (map toString c.systemd.packages) c.systemd.sockets.skepd.wantedBy (failed c) ];
      expected = [ true [ "/nix/store/skep" ] [ "sockets.target" ] [ ] ];
    };
    testSettings = {
      expr = let s = settings (on { services.skep.settings.limits.memory_max = "1G"; services.skep.extraSettings.stop_timeout = 60; });
        in [ s.driver s.builder s.base s.limits s.stop_timeout (s ? network) s.unbound_verdicts ];
      expected = [ "nixos-container" "nix" "path:/b" { memory_max = "1G"; cpu_quota = "50%"; tasks_max = 4096; } 60 false false ];
    };
    testAdmins = {
      expr = let c = on { services.skep.admins = [ "olga" ]; services.skep.readers = [ "rita" ]; };
        in [ c.users.groups.skep-admin.members c.users.groups.skep-read.members c.users.users.skep.isSystemUser ];
      expected = [ [ "olga" ] [ "rita" ] true ];
    };
    testDashboard = {
      expr = let c = on { services.skep.settings.dashboard_port = 7800; };
        in [ (lib.last c.systemd.sockets.skep-web.listenStreams) ((on { services.skep.dashboard = false; }).systemd.sockets.skep-web.wantedBy or null) ];
      expected = [ "[::1]:7800" null ];
    };
    testFirewall = {
      expr = [ (on { }).networking.firewall (on { services.skep.openFirewall = true; }).networking.firewall.allowedTCPPorts ];
      expected = [ { } [ 8000 ] ];
    };
    testSandbox = {
      expr = (on { }).nix.settings.sandbox-fallback;
      expected = false;
    };
    testNixIsOpenUnlessAsked = {
      expr = [ ((on { }).nix.settings ? allowed-users) (on { services.skep.restrictNix = true; }).nix.settings.allowed-users ];
      expected = [ false [ "root" "@wheel" "skep-build" ] ];
    };
    testKernel = {
      expr = [ (on { }).boot.kernel.sysctl."fs.inotify.max_user_instances" (on { services.skep.tuneKernel = false; }).boot.kernel.sysctl ];
      expected = [ 8192 { } ];
    };
    testFlakesAreNeeded = {
      expr = builtins.length (failed (host { services.skep.enable = true; }));
      expected = 1;
    };
    testOverlayIsRefused = {
      expr = builtins.length (failed (on { services.skep.settings.builder = "overlay"; }));
      expected = 2;
    };
    testStateCannotMove = {
      expr = builtins.length (failed (on { services.skep.extraSettings.state_dir = "/x"; }));
      expected = 1;
    };
    testTypes = {
      expr = map (s: fails (settings (on { services.skep.settings = s; }))) [
        { driver = "lxd"; } { network = "bridge"; } { dashboard_port = 70000; } { limits.memory_max = "lots"; } { limits.tasks_max = 1; }
        { max_builds = 0; } { unknown = 1; } { base = 7; } { max_builds = 3; }
      ];
      expected = [ true true true true true true true true false ];
    };
    testAgent = {
      expr = let c = agent false { skep.identity = { name = "alice"; port = 8879; }; };
        in [ c.networking.hostName c.systemd.globalEnvironment c.boot.isNspawnContainer c.nix.enable (failed c) ];
      expected = [ "alice" { HIVE_PORT = "8879"; HIVE_LABEL = "alice"; HIVE_DASHBOARD_PORT = "7700"; } true false [ ] ];
    };
    testCommitter = {
      expr = map (user: user.content or user) (lib.attrValues (agent false { skep.identity = { name = "alice"; port = 8879; }; }).programs.git.config.user);
      expected = [ "alice@hive" "alice" ];
    };
    testAgentMayDecide = {
      expr = (agent false { skep.identity = { name = "alice"; port = 8879; }; networking.hostName = "mine"; }).networking.hostName;
      expected = "mine";
    };
    testRoleFitsBase = {
      expr = map (m: builtins.length (failed (agent m { skep.identity = { name = "hm1nd"; port = 8000; role = "manager"; }; }))) [ true false ];
      expected = [ 0 1 ];
    };
    testBadIdentity = {
      expr = map (i: fails (agent false { skep.identity = i; }).skep.identity) [ { name = "Alice"; port = 1; } { name = "a"; port = 99999; } { port = 1; } ];
      expected = [ true true true ];
    };
  };
in
if self == null then
  result
else if result == [ ] then
  pkgs.runCommand "skep-module" { } "touch $out"
else
  throw "the modules are not as they should be: ${builtins.toJSON result}"
