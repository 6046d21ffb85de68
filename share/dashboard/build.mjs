// Makes what skep-web serves: build.mjs SOURCE NODE_MODULES TARGET
// Every module, style sheet and icon gets the hash of its content in its name, the imports inside follow, and gzip
// and brotli variants lie beside each file. Nothing is bundled or rewritten beyond the names.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const [source, modules, target] = process.argv.slice(2);
const types = {
	'.js': 'text/javascript; charset=utf-8',
	'.css': 'text/css; charset=utf-8',
	'.svg': 'image/svg+xml',
	'.txt': 'text/plain; charset=utf-8',
	'.html': 'text/html; charset=utf-8',
};

const read = (...path) => readFileSync(join(...path), 'utf8');
const extension = (name) => name.slice(name.lastIndexOf('.'));
const withoutMap = (text) => text.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n');

// The packages' files that are used, under the names our own modules import.
function vendored() {
	const bare = (text) => withoutMap(text).replace(/(from\s*)"preact"/g, '$1"./preact.js"');
	return {
		'preact.js': bare(read(modules, 'preact/dist/preact.mjs')),
		'preact-hooks.js': bare(read(modules, 'preact/hooks/dist/hooks.mjs')),
		'htm.js': withoutMap(read(modules, 'htm/dist/htm.module.js')),
		'uplot.js': `${withoutMap(read(modules, 'uplot/dist/uPlot.iife.min.js'))}\nexport default uPlot;\n`,
		'uplot.css': read(modules, 'uplot/dist/uPlot.min.css'),
		'licenses.txt': ['preact', 'htm', 'uplot']
			.map((name) => `${name} ${JSON.parse(read(modules, name, 'package.json')).version}\n\n${read(modules, name, 'LICENSE')}`)
			.join('\n\n'),
	};
}

function sources() {
	const files = vendored();
	for (const name of readdirSync(source).filter((name) => /\.(js|css|svg)$/.test(name))) {
		if (files[name]) throw new Error(`${name} is the name of a package's file`);
		files[name] = read(source, name);
	}
	return files;
}

// Comments of whole lines and indentation are for readers of the source; no string of ours spans lines and means its blanks.
const withoutComments = (text) => text.replace(/^\s*(\/\/.*|\/\*[^]*?\*\/\s*)\n/gm, '').replace(/^[\t ]+/gm, '');

const reference = /(["'(])\.\/([\w-]+\.(?:js|css|svg|txt))(["')])/g;
const files = sources();
const hashed = new Map();
const outputs = [];

// The hashed name of a file, after everything it refers to has one. Files that refer to each other in a circle
// could have none.
function name(file, path = []) {
	if (hashed.has(file)) return hashed.get(file);
	if (files[file] === undefined) throw new Error(`${path.at(-1)} refers to ${file}, which is not there`);
	if (path.includes(file)) throw new Error(`a circle of imports: ${[...path, file].join(' → ')}`);
	const text = (/\.(js|css)$/.test(file) ? withoutComments(files[file]) : files[file]).replace(reference, (all, before, other, after) =>
		`${before}./${name(other, [...path, file])}${after}`);
	const hash = createHash('sha256').update(text).digest('hex').slice(0, 10);
	const result = file.replace(/(\.\w+)$/, `.${hash}$1`);
	hashed.set(file, result);
	outputs.push({ path: `/static/${result}`, file: `static/${result}`, text, immutable: true });
	return result;
}

// A variant is kept where it is worth a header.
function write({ path, file, text, immutable }) {
	const data = Buffer.from(text);
	const variants = {
		br: ['.br', brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length } })],
		gzip: ['.gz', gzipSync(data, { level: 9 })],
	};
	writeFileSync(join(fresh, file), data);
	const encodings = Object.keys(variants).filter((name) => variants[name][1].length + 64 < data.length);
	for (const encoding of encodings) writeFileSync(join(fresh, file) + variants[encoding][0], variants[encoding][1]);
	return { path, file, type: types[extension(file)], encodings, immutable };
}

const fresh = `${target}.new`;
rmSync(fresh, { recursive: true, force: true });
mkdirSync(join(fresh, 'static'), { recursive: true });
Object.keys(files).sort().forEach((file) => name(file));
const page = read(source, 'index.html').replace(/\/static\/([\w-]+\.\w+)/g, (all, file) => `/static/${name(file, ['index.html'])}`);
const manifest = [{ path: '/', file: 'index.html', text: page, immutable: false }, ...outputs].map(write);
writeFileSync(join(fresh, 'manifest.json'), `${JSON.stringify(manifest, null, '\t')}\n`);
rmSync(target, { recursive: true, force: true });
renameSync(fresh, target);
