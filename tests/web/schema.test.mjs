// The schema that is shipped and `skep validate` say the same of the same file.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import fs from 'node:fs';
import {createRequire} from 'node:module';
import os from 'node:os';
import path from 'node:path';
import {after, test} from 'node:test';

const build = path.resolve(process.env.BUILD ?? 'build');
const {default: Ajv} = createRequire(`${build}/npm/web/`)('ajv/dist/2020');
const ajv = new Ajv({strict: true, strictTypes: false, strictRequired: false, allErrors: true});
ajv.addSchema(JSON.parse(fs.readFileSync('share/schema/skep-hive.schema.json', 'utf8')), 'hive');

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'skep-schema-'));
after(() => fs.rmSync(dir, {recursive: true}));

const settings = [
	[{}, true], [{network: 'host'}, true], [{network: 'private'}, true], [{network: 'bridge'}, false], [{network: null}, true],
	[{network: 1}, false], [{parent: 'hm1nd'}, true], [{parent: ''}, true], [{parent: '-x'}, false], [{parent: 'x-'}, false],
	[{parent: 'a'.repeat(33)}, false], [{parent: null}, true], [{desired: 'stopped'}, true], [{desired: 'up'}, false], [{paused: true}, true],
	[{paused: 'yes'}, false], [{limits: {}}, true], [{limits: null}, true], [{limits: []}, false], [{limits: {memory_max: '2G'}}, true],
	[{limits: {memory_max: '12Q'}}, false], [{limits: {memory_max: 16777216}}, true], [{limits: {memory_max: 1}}, false],
	[{limits: {memory_max: null}}, true], [{limits: {memory_max: true}}, false], [{limits: {cpu_quota: '50%'}}, true],
	[{limits: {cpu_quota: 50}}, true], [{limits: {cpu_quota: 0}}, false], [{limits: {cpu_quota: '50 %'}}, false],
	[{limits: {tasks_max: 16}}, true], [{limits: {tasks_max: 15}}, false], [{limits: {tasks_max: 1.5}}, false],
	[{limits: {tasks: 16}}, false], [{labels: {a: 'b'}}, true], [{labels: {a: null}}, true], [{labels: {a: ''}}, false],
	[{labels: {a: 'b c'}}, false], [{labels: {'a b': 'c'}}, false], [{labels: {owner: 'me'}}, false], [{labels: {a: 1}}, false],
	[{labels: Object.fromEntries([...Array(31).keys()].map((i) => [`l${i}`, 'x']))}, true],
	[{labels: Object.fromEntries([...Array(32).keys()].map((i) => [`l${i}`, 'x']))}, false],
	[{probe: {}}, true], [{probe: {kind: 'none'}}, true], [{probe: {kind: 'ping'}}, false], [{probe: {kind: 'tcp', port: 80}}, true],
	[{probe: {kind: 'tcp', port: 0}}, false], [{probe: {kind: 'none', port: 80}}, false], [{probe: {port: 80}}, false],
	[{probe: {kind: 'command'}}, false], [{probe: {kind: 'command', command: []}}, false],
	[{probe: {kind: 'command', command: ['/bin/true']}}, true], [{probe: {kind: 'command', command: ['']}}, false],
	[{probe: {grace: 5, soak: 0}}, true], [{probe: {grace: -1}}, false], [{probe: {grace: '5'}}, false], [{probe: {wait: 5}}, false],
	[{port: 80}, false],
];
const many = (n, what) => [...Array(n).keys()].map(() => what);
const files = {
	profile: ['profiles/p.json', [...settings, [{profiles: []}, false], [{image: null}, false]]],
	agent: ['agents/a.json', [...settings, [{image: null}, true], [{image: 'web'}, true], [{image: 'Web'}, false], [{profiles: []}, true],
		[{profiles: ['p']}, true], [{profiles: 'p'}, false], [{profiles: ['P']}, false], [{profiles: many(33, 'p')}, false], [{hosts: ['*']}, true],
		[{hosts: []}, true], [{hosts: ['']}, false], [{hosts: '*'}, false]]],
	image: ['images/web.json', [[{}, true], [{builder: 'nix'}, true], [{builder: 'docker'}, false], [{driver: 'nspawn'}, true],
		[{driver: 'qemu'}, false], [{files: 'web'}, true], [{files: '../web'}, false], [{files: null}, true], [{from: 'x'}, false]]],
	include: ['t/hive.json', [[{}, true], [{description: 'x'}, true], [{name: 'x'}, false], [{include: []}, true], [{profiles: []}, false]]],
	hive: ['hive.json', [[{}, false], [{name: 'p'}, true], [{name: 'a b'}, false], [{name: ''}, false], [{name: 'x'.repeat(64)}, false],
		[{name: 'p', include: ['t']}, true], [{name: 'p', include: ['../t']}, false], [{name: 'p', include: ['/t']}, false],
		[{name: 'p', include: ['t/']}, false], [{name: 'p', include: ['.t']}, false], [{name: 'p', include: 't'}, false],
		[{name: 'p', include: many(65, 't')}, false], [{name: 'p', hosts: {'*': {profiles: ['p']}}}, true], [{name: 'p', hosts: {'*': []}}, false],
		[{name: 'p', hosts: {'': {}}}, false], [{name: 'p', hosts: {x: {profile: []}}}, false], [{name: 'p', profiles: ['p']}, true],
		[{name: 'p', description: 1}, false], [{name: 'p', version: 1}, false]]],
};

for (const [kind, [where, cases]] of Object.entries(files)) {
	test(`${kind}: ${where}`, () => {
		const schema = ajv.getSchema(`hive#/$defs/${kind}`);
		for (const [value, valid] of cases) {
			const here = fs.mkdtempSync(path.join(dir, 'd-'));
			const all = {'hive.json': {name: 'p', include: ['t']}, 'agents/a.json': {}, 'profiles/p.json': {}, 'images/web.json': {}, 't/hive.json': {}, [where]: value};
			for (const [file, content] of Object.entries(all)) {
				fs.mkdirSync(path.join(here, path.dirname(file)), {recursive: true});
				fs.writeFileSync(path.join(here, file), JSON.stringify(content));
			}
			fs.mkdirSync(path.join(here, 'images/web'));
			fs.writeFileSync(path.join(here, 'images/web/agent.json'), '{}');
			const said = spawnSync(`${build}/skep`, ['--json', 'validate', here], {encoding: 'utf8'});
			assert.equal(said.status === 0, valid, `validate: ${JSON.stringify(value)}: ${said.stderr}`);
			assert.ok(valid || said.stderr.includes(where.split('/').pop()), said.stderr);
			assert.equal(schema(value), valid, `schema: ${JSON.stringify(value)}: ${ajv.errorsText(schema.errors)}`);
		}
	});
}

test('what the schema cannot say of a number with a unit, validate says', () => {
	fs.mkdirSync(path.join(dir, 'unit/agents'), {recursive: true});
	fs.writeFileSync(path.join(dir, 'unit/hive.json'), '{"name":"p"}');
	fs.writeFileSync(path.join(dir, 'unit/agents/a.json'), '{"limits":{"memory_max":"12M"}}');
	const said = spawnSync(`${build}/skep`, ['validate', path.join(dir, 'unit')], {encoding: 'utf8'});
	assert.notEqual(said.status, 0);
	assert.match(said.stderr, /agents\/a\.json: 'limits\.memory_max' must be .* from 16M to 1T/);
});
