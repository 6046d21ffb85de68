# lib.nixosSystem: modules in, `config.system.build.toplevel` out. Its init makes what an empty root lacks, activates,
# and becomes the machine's own systemd, so the machine's /usr has to be bound in.
lib:
{ modules ? [ ], specialArgs ? { }, system ? "x86_64-linux", ... }:
let
  inherit (lib) concatMap concatMapStringsSep concatStringsSep filter mapAttrsToList mkOption optionalString types;

  value = v: if v == true then "true" else if v == false then "false" else toString v;
  setting = name: v: concatMapStringsSep "" (x: "${name}=${value x}\n") (if builtins.isList v then v else [ v ]);
  quoted = s: "\"${builtins.replaceStrings [ "\\" "\"" "%" ] [ "\\\\" "\\\"" "%%" ] (value s)}\"";
  after = s: concatMapStringsSep "" (key: optionalString (s ? ${key.from}) "${key.to}=${toString s.${key.from}}\n") [
    { from = "after"; to = "After"; } { from = "wants"; to = "Wants"; } { from = "requires"; to = "Requires"; }
    { from = "before"; to = "Before"; }
  ];
  unit = config: s: ''
    [Unit]
    Description=${s.description or "a service"}
    ${after s}
    [Service]
    ${concatStringsSep "" (mapAttrsToList (n: v: "Environment=${quoted "${n}=${value v}"}\n") (config.systemd.globalEnvironment // (s.environment or { })))}
    ${concatStringsSep "" (mapAttrsToList setting (s.serviceConfig or { }))}
  '';

  standard = { config, ... }: {
    options = {
      assertions = mkOption { type = types.listOf types.anything; default = [ ]; };
      warnings = mkOption { type = types.listOf types.str; default = [ ]; };
      networking.hostName = mkOption { type = types.str; default = "nixos"; };
      environment.etc = mkOption { type = types.attrsOf types.anything; default = { }; };
      systemd.services = mkOption { type = types.attrsOf types.anything; default = { }; };
      systemd.globalEnvironment = mkOption { type = types.attrsOf types.anything; default = { }; };
      system.activationScripts = mkOption { type = types.attrsOf types.anything; default = { }; };
      system.build = mkOption { type = types.attrsOf types.raw; default = { }; };
      # How it is to go wrong.
      stub.failBuild = mkOption { type = types.bool; default = false; };
      stub.failBoot = mkOption { type = types.bool; default = false; };
      stub.failActivation = mkOption { type = types.bool; default = false; };
      stub.buildSeconds = mkOption { type = types.int; default = 0; };
      stub.activationSeconds = mkOption { type = types.int; default = 0; };
    };
    config._module.args.pkgs = import ./packages.nix { inherit lib system; };
    config.system.build.toplevel = checked config (toplevel config);
  };

  checked = config: result:
    let failed = map (a: a.message) (filter (a: !a.assertion) config.assertions); in
    if failed != [ ] then throw "\nFailed assertions:\n${concatMapStringsSep "\n" (m: "- ${m}") failed}"
    else builtins.foldl' (r: w: builtins.trace "warning: ${w}" r) result config.warnings;

  toplevel = config:
    let
      services = filter (n: config.systemd.services.${n}.enable or true) (builtins.attrNames config.systemd.services);
      files = filter (n: config.environment.etc.${n} ? text) (builtins.attrNames config.environment.etc);
      numbered = kind: names: text: builtins.listToAttrs (builtins.genList (i: {
        name = "${kind}_${toString i}";
        value = text (builtins.elemAt names i);
      }) (builtins.length names));
      of = n: config.systemd.services.${n};
    in
    derivation ({
      name = "nixos-system-${config.networking.hostName}-stub";
      inherit system;
      builder = "/bin/bash";
      args = [ ./build.sh ];
      PATH = "/usr/bin:/bin";
      inherit (config.networking) hostName;
      activation = concatStringsSep "\n" (mapAttrsToList (n: s: if builtins.isAttrs s then s.text else s) config.system.activationScripts);
      failBuild = value config.stub.failBuild;
      failBoot = value config.stub.failBoot;
      failActivation = value config.stub.failActivation;
      buildSeconds = value config.stub.buildSeconds;
      activationSeconds = value config.stub.activationSeconds;
    } // numbered "unit_name" services (n: n)
      // numbered "unit_text" services (n: unit config (of n))
      // numbered "unit_script" services (n: (of n).script or "")
      // numbered "unit_wanted" services (n: toString ((of n).wantedBy or [ ]))
      // numbered "etc_name" files (n: n)
      // numbered "etc_text" files (n: config.environment.etc.${n}.text));
in
lib.evalModules {
  modules = [ standard ] ++ modules;
  specialArgs = { inherit lib; } // specialArgs;
  free = true;
}
