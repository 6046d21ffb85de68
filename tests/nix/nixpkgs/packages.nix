# Packages that are names only: enough to evaluate what uses them.
{ lib, system }:
let
  fake = name: {
    type = "derivation";
    pname = name;
    inherit name system;
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
    drvPath = "/nix/store/00000000000000000000000000000000-${name}.drv";
    outputName = "out";
    meta.mainProgram = name;
    static = fake "${name}-static";
    overrideAttrs = f: fake name // f { };
  };
  build = args: derivation {
    name = args.name or "${args.pname}-${args.version}";
    inherit system;
    builder = "/bin/sh";
    args = [ "-c" "echo ${args.pname or args.name} > $out" ];
  } // { inherit (args) meta; passthru = args.passthru or { }; override = _: build args; overrideAttrs = f: build (args // f args); };
  names = [
    "bats" "chromium" "clang" "clang-tools" "cmocka" "coreutils" "git" "glibc" "iproute2" "jansson" "jq" "less" "libevent"
    "libgit2" "libsodium" "libyaml" "nix" "nixfmt-tree" "nodejs" "pkg-config" "procps" "python3" "scdoc" "shellcheck" "socat"
    "nettle" "spin" "systemd" "utf8proc" "valgrind" "zlib"
  ];
  pkgs = lib.genAttrs names fake // {
    inherit lib system pkgs;
    stdenv = { mkDerivation = args: build (if builtins.isFunction args then args { finalPackage = build { }; } else args); hostPlatform = { inherit system; isLinux = true; }; };
    callPackage = f: extra: (if builtins.isFunction f then f else import f)
      (builtins.intersectAttrs (builtins.functionArgs (if builtins.isFunction f then f else import f)) pkgs // extra);
    mkShell = args: build { pname = "shell"; version = "0"; meta = { }; };
    runCommand = name: _: _: build { inherit name; pname = name; meta = { }; };
    writeText = name: text: build { inherit name; pname = name; meta = { }; };
    importNpmLock.buildNodeModules = { npmRoot, nodejs }: fake "node-modules";
    formats.json = _: { type = lib.types.attrs; generate = name: value: "/nix/store/00000000000000000000000000000000-${name}"; };
    testers.runNixOSTest = test: build { pname = "vm-test"; version = "0"; meta = { }; };
    extend = overlay: pkgs // overlay pkgs pkgs;
  };
in
pkgs
