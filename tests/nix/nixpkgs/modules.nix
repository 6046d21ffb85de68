# A small module system with the names and rules of the one in nixpkgs, as far as skep's modules use them: options
# with types, definitions with priorities and conditions, imports, submodules. Nothing here is from nixpkgs.
let
  inherit (builtins) all any attrNames concatLists concatMap elemAt elem filter foldl' functionArgs head isAttrs
    isFunction isList isPath isString length listToAttrs map mapAttrs match removeAttrs tail typeOf;

  last = list: elemAt list (length list - 1);
  unique = foldl' (seen: x: if elem x seen then seen else seen ++ [ x ]) [ ];
  is = type: v: isAttrs v && (v._type or "") == type;
  showLoc = builtins.concatStringsSep ".";

  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkMerge = contents: { _type = "merge"; inherit contents; };
  mkOverride = priority: content: { _type = "override"; inherit priority content; };
  mkOption = o: { _type = "option"; } // o;

  # The definitions of an attribute set, their conditions moved to its attributes, so that names are known without
  # asking whether they hold.
  push = v:
    if is "merge" v then concatMap push v.contents
    else if is "if" v then map (mapAttrs (_: mkIf v.condition)) (push v.content)
    else if is "override" v then map (mapAttrs (_: mkOverride v.priority)) (push v.content)
    else [ v ];

  # The values that hold, each with its priority.
  discharge = v:
    if is "merge" v then concatMap discharge v.contents
    else if is "if" v then (if v.condition then discharge v.content else [ ])
    else if is "override" v then map (d: d // { inherit (v) priority; }) (discharge v.content)
    else [ { priority = 100; value = v; } ];

  strongest = ds:
    let least = foldl' (p: d: if d.priority < p then d.priority else p) 9999 ds;
    in map (d: d.value) (filter (d: d.priority == least) ds);

  # What nobody declared: sets are merged, lists joined, and equal values are one.
  mergeFree = loc: defs:
    let values = strongest (concatMap discharge defs); in
    if values == [ ] then { }
    else if all (v: isAttrs v && (v.type or "") != "derivation") values then
      listToAttrs (map (name: {
        inherit name;
        value = mergeFree (loc ++ [ name ]) (map (v: v.${name}) (filter (v: v ? ${name}) values));
      }) (unique (concatMap attrNames values)))
    else if all isList values then concatLists values
    else mergeOne loc values;

  mergeOne = loc: values:
    if length values == 1 || all (v: v == head values) (tail values) then head values
    else throw "The option `${showLoc loc}' has conflicting definition values";

  evalOption = loc: option: defs:
    let
      type = option.type or types.anything;
      given = concatMap discharge defs;
      values = strongest (given ++ (if option ? default then [ { priority = 1500; value = option.default; } ] else [ ]));
      bad = filter (v: !(type.check v)) values;
      merged =
        if values == [ ] then
          type.empty or (throw "The option `${showLoc loc}' was accessed but has no value defined.")
        else if bad != [ ] then
          throw "A definition for option `${showLoc loc}' is not of type `${type.description}'."
        else type.merge loc values;
    in
    (option.apply or (v: v)) merged;

  evalTree = free: loc: trees: defs:
    let pushed = concatMap push defs; in
    listToAttrs (map (name:
      let
        here = loc ++ [ name ];
        options = map (t: t.${name}) (filter (t: t ? ${name}) trees);
        ours = map (d: d.${name}) (filter (d: d ? ${name}) pushed);
        declared = filter (is "option") options;
      in {
        inherit name;
        value =
          if declared != [ ] then evalOption here (head declared) ours
          else if options != [ ] then evalTree free here options ours
          else if free then mergeFree here ours
          else throw "The option `${showLoc here}' does not exist.";
      }) (unique (concatMap attrNames (trees ++ pushed))));

  evalModules = { modules, specialArgs ? { }, free ? false, loc ? [ ] }:
    let
      known = specialArgs // { inherit config options; lib = specialArgs.lib or lib; };
      call = f: f (mapAttrs (name: _: known.${name} or config._module.args.${name}) (functionArgs f) // known);
      collect = m:
        if isPath m || isString m then collect (import m)
        else
          let
            raw = if isFunction m then call m else m;
            split = raw ? config || raw ? options;
            module = {
              options = raw.options or { };
              config = if split then raw.config or { } else removeAttrs raw [ "imports" "_file" "key" ];
            };
          in
          [ module ] ++ concatMap collect (raw.imports or [ ]);
      all = concatMap collect modules;
      options = foldl' mergeTrees { _module.args = mkOption { type = types.attrsOf types.anything; default = { }; }; }
        (map (m: m.options) all);
      config = evalTree free loc [ options ] (map (m: m.config) all);
    in
    { inherit config options; };

  mergeTrees = a: b: a // mapAttrs (name: v:
    if a ? ${name} && !(is "option" v) then mergeTrees a.${name} v
    else if a ? ${name} then throw "The option `${name}' is already declared."
    else v) b;

  simple = description: check: { inherit description check; merge = mergeOne; };
  isInt = builtins.isInt;
  types = rec {
    anything = { description = "anything"; check = _: true; merge = loc: vs: mergeFree loc vs; };
    raw = simple "raw value" (_: true);
    bool = simple "boolean" builtins.isBool;
    str = simple "string" isString;
    int = simple "signed integer" isInt;
    port = ints.between 0 65535 // { description = "16 bit unsigned integer; between 0 and 65535 (both inclusive)"; };
    path = simple "path" (v: isPath v || (isString v && match "/.*" v != null) || package.check v);
    package = simple "package" (v: isAttrs v && (v.type or "") == "derivation");
    attrs = attrsOf anything;
    lines = { description = "strings concatenated with \"\\n\""; check = isString; merge = _: builtins.concatStringsSep "\n"; };
    enum = values: simple "one of ${builtins.toJSON values}" (v: elem v values);
    strMatching = pattern: simple "string matching the pattern ${pattern}" (v: isString v && match pattern v != null);
    ints = {
      between = low: high: simple "integer between ${toString low} and ${toString high} (both inclusive)"
        (v: isInt v && v >= low && v <= high);
      positive = simple "positive integer, meaning >0" (v: isInt v && v > 0);
      unsigned = simple "unsigned integer, meaning >=0" (v: isInt v && v >= 0);
    };
    nullOr = t: {
      description = "null or ${t.description}";
      check = v: v == null || t.check v;
      merge = loc: vs: if all (v: v == null) vs then null else t.merge loc vs;
    };
    either = a: b: {
      description = "${a.description} or ${b.description}";
      check = v: a.check v || b.check v;
      merge = loc: vs: if all a.check vs then a.merge loc vs else b.merge loc vs;
    };
    oneOf = ts: foldl' either (head ts) (tail ts);
    listOf = t: {
      description = "list of ${t.description}";
      empty = [ ];
      check = isList;
      merge = loc: vs: map (v: evalOption loc { type = t; } [ v ]) (concatLists vs);
    };
    attrsOf = t: {
      description = "attribute set of ${t.description}";
      empty = { };
      check = isAttrs;
      merge = loc: vs:
        let pushed = concatMap push vs; in
        listToAttrs (map (name: {
          inherit name;
          value = evalOption (loc ++ [ name ]) { type = t; } (map (v: v.${name}) (filter (v: v ? ${name}) pushed));
        }) (filter (name: concatMap discharge (map (v: v.${name}) (filter (v: v ? ${name}) pushed)) != [ ])
          (unique (concatMap attrNames pushed))));
    };
    lazyAttrsOf = attrsOf;
    submodule = module: {
      description = "submodule";
      check = v: isAttrs v || isFunction v;
      merge = loc: vs: removeAttrs (evalModules {
        modules = (if isList module then module else [ module ]) ++ vs;
        specialArgs.name = if loc == [ ] then "" else last loc;
        inherit loc;
      }).config [ "_module" ];
    };
  };

  lib = rec {
    inherit evalModules mkIf mkMerge mkOption mkOverride types unique last;
    inherit (builtins) all any attrNames attrValues concatLists concatMap concatStringsSep elem filter foldl' head
      isAttrs isBool isFunction isInt isList isString length listToAttrs map mapAttrs match removeAttrs replaceStrings
      tail toJSON;
    mkDefault = mkOverride 1000;
    mkForce = mkOverride 50;
    mkOptionDefault = mkOverride 1500;
    mkEnableOption = what: mkOption { type = types.bool; default = false; description = "Whether to enable ${what}."; };
    mkPackageOption = pkgs: name: extra: mkOption ({ type = types.package; default = pkgs.${name}; description = "The ${name} package to use."; } // extra);
    literalExpression = text: { _type = "literalExpression"; inherit text; };
    mdDoc = text: text;
    optional = c: x: if c then [ x ] else [ ];
    optionals = c: xs: if c then xs else [ ];
    optionalAttrs = c: a: if c then a else { };
    optionalString = c: s: if c then s else "";
    concatMapStringsSep = sep: f: xs: concatStringsSep sep (map f xs);
    mapAttrsToList = f: a: map (n: f n a.${n}) (attrNames a);
    filterAttrs = f: a: listToAttrs (map (name: { inherit name; value = a.${name}; }) (filter (n: f n a.${n}) (attrNames a)));
    genAttrs = names: f: listToAttrs (map (name: { inherit name; value = f name; }) names);
    nameValuePair = name: value: { inherit name value; };
    hasPrefix = prefix: s: builtins.substring 0 (builtins.stringLength prefix) s == prefix;
    getExe = p: "${p}/bin/${p.meta.mainProgram or p.pname}";
    escapeShellArg = s: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString s)}'";
    escapeShellArgs = concatMapStringsSep " " escapeShellArg;
    fileset = {
      toSource = { root, fileset }: builtins.toString root;
      unions = files: builtins.seq (map (f: assert builtins.pathExists f; f) files) files;
    };
    licenses.mit = "mit";
    platforms.linux = [ "x86_64-linux" "aarch64-linux" ];
    runTests = tests: concatMap (name:
      let t = tests.${name}; in optional (t.expr != t.expected) { inherit name; inherit (t) expected; result = t.expr; }) (attrNames tests);
  };
in
lib
