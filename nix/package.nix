{
  lib,
  stdenv,
  cmocka,
  glibc,
  importNpmLock,
  jansson,
  libevent,
  libgit2,
  libsodium,
  libyaml,
  nodejs,
  pkg-config,
  scdoc,
  systemd,
  utf8proc,
  zlib,
  nettle,
}:
let
  # The client is one static file, bound into containers; so jansson is linked statically everywhere, and libyaml there.
  jansson-static = jansson.overrideAttrs (old: {
    cmakeFlags = (old.cmakeFlags or [ ]) ++ [ "-DJANSSON_BUILD_SHARED_LIBS=OFF" ];
  });
  libyaml-static = libyaml.overrideAttrs (_: { dontDisableStatic = true; });
  pages = importNpmLock.buildNodeModules {
    npmRoot = ../share/dashboard;
    inherit nodejs;
  };
in
stdenv.mkDerivation {
  pname = "skep";
  version = "0.1.0";

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../LICENSE
      ../Makefile
      ../share
      ../src
      ../templates
      ../tests
    ];
  };

  strictDeps = true;
  nativeBuildInputs = [
    nodejs
    pkg-config
    scdoc
  ];
  buildInputs = [
    glibc.static
    jansson-static
    libevent
    libgit2
    libsodium
    libyaml-static
    systemd
    utf8proc
    zlib
    nettle
  ];

  makeFlags = [
    "PREFIX=${placeholder "out"}"
    "SYSTEMDUNITDIR=${placeholder "out"}/lib/systemd/system"
    "SYSUSERSDIR=${placeholder "out"}/lib/sysusers.d"
    "TMPFILESDIR=${placeholder "out"}/lib/tmpfiles.d"
    "SYSCTLDIR=${placeholder "out"}/lib/sysctl.d"
    "YAML=1"
    "NSPAWN=${systemd}/bin/systemd-nspawn"
  ];
  enableParallelBuilding = true;

  # The packages of the dashboard, in the place where make would have npm unpack them.
  preBuild = ''
    mkdir -p build/npm/dashboard
    cp -r --no-preserve=mode ${pages}/node_modules build/npm/dashboard/
    touch build/npm/dashboard/node_modules/.package-lock.json
  '';

  doCheck = true;
  checkInputs = [ cmocka ];
  checkTarget = "check-unit";

  meta = {
    description = "Git-native controller for a hive of agents";
    license = lib.licenses.mit;
    mainProgram = "skep";
    platforms = lib.platforms.linux;
  };
}
