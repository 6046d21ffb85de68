# The whole path on a real NixOS: the service comes up, an agent is spawned, changed, approved, rolled back, destroyed.
{
  pkgs,
  self,
  nixpkgs,
}:
let
  agent = nixpkgs.lib.nixosSystem {
    inherit (pkgs.stdenv.hostPlatform) system;
    modules = [
      self.nixosModules.agent
      {
        skep.identity = {
          name = "alice";
          port = 8879;
        };
      }
    ];
  };
in
pkgs.testers.runNixOSTest {
  name = "skep";
  nodes.machine = {
    imports = [ self.nixosModules.default ];
    services.skep = {
      enable = true;
      admins = [ "olga" ];
      settings.nixpkgs = "path:${nixpkgs}";
      settings.base = "path:${self}";
    };
    users.users.olga.isNormalUser = true;
    users.users.mallory.isNormalUser = true;
    virtualisation.memorySize = 4096;
    virtualisation.diskSize = 8192;
    virtualisation.writableStore = true;
    # What an agent is made of, so that nothing has to be fetched.
    virtualisation.additionalPaths = [
      agent.config.system.build.toplevel
      nixpkgs
      self
    ];
  };
  testScript = ''
    machine.wait_for_unit("skepd.service")
    machine.succeed("skep doctor")
    machine.succeed("runuser -u olga -- skep status")
    machine.fail("runuser -u mallory -- skep status")
    machine.succeed("skep spawn hm1nd", timeout=900)
    machine.succeed("skep spawn alice", timeout=900)
    machine.succeed("systemctl is-active container@h-alice.service")
    machine.succeed(
        "skep exec hm1nd -- sh -ec 'cd /agents/alice"
        " && echo \"{ environment.etc.greeting.text = \\\"hello\\\"; }\" > agent.nix"
        " && git commit -qam greet && /run/hive/bin/skep submit alice $(git rev-parse HEAD)'"
    )
    commit = machine.succeed("skep --json proposals | ${pkgs.jq}/bin/jq -r .[0].commit").strip()
    machine.succeed(f"skep approve 1 --commit {commit}", timeout=900)
    machine.succeed("skep exec alice -- grep -q hello /etc/greeting")
    machine.succeed("skep rollback alice", timeout=900)
    machine.fail("skep exec alice -- test -e /etc/greeting")
    machine.succeed("skep destroy alice")
    machine.fail("test -e /etc/nixos-containers/h-alice.conf")
  '';
}
