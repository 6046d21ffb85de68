// What somebody would write who wants a page to run it: attempts, each in every dress. window.pwned and /pwned are what they are after.
const call = 'window.pwned=1';
const attempts = [
	`<script>${call}</script>`, `<script src=/pwned.js></script>`, `<script type=module>${call}</script>`, `<img src=x onerror="${call}">`, `<img src=/pwned.png>`,
	`<svg onload="${call}">`, `<svg><script>${call}</script></svg>`, `<svg><animate onbegin="${call}" attributeName=x dur=1s>`, `<svg><use href="/pwned.svg#x"/></svg>`,
	`<body onload="${call}">`, `<input autofocus onfocus="${call}">`, `<details open ontoggle="${call}">x</details>`, `<video src=x onerror="${call}"></video>`, `<audio src=x onerror="${call}">`,
	`<iframe src="javascript:parent.${call}"></iframe>`, `<iframe srcdoc="<script>parent.${call}</script>"></iframe>`, `<object data="javascript:${call}"></object>`, `<embed src="javascript:${call}">`,
	`<a href="javascript:${call}">here</a>`, `javascript:${call}`, `data:text/html,<script>${call}</script>`, `<form action="/pwned"><button>go</button></form>`, `<base href="/pwned/">`,
	`<meta http-equiv="refresh" content="0;url=/pwned">`, `<link rel=stylesheet href=/pwned.css>`, `<style>*{background:url(/pwned.png)}</style>`, `<div style="background:url(/pwned.png)">`, `<math><mtext></mtext><script>${call}</script></math>`,
	`<template><script>${call}</script></template>`, `<noscript><p title="</noscript><img src=x onerror=${call}>">`, `<textarea></textarea><script>${call}</script>`, `<marquee onstart="${call}">x</marquee>`, `<xss style="animation-name:x" onanimationstart="${call}">`,
	`\${${call}}`, `{{constructor.constructor('${call}')()}}`, `<%= ${call} %>`, `#{${call}}`, `<\${Script} src="/pwned.js" />`, `" dangerouslySetInnerHTML=\${{__html:'<img src=x onerror=${call}>'}} x="`,
];
const dresses = [
	(text) => text,
	(text) => `">${text}`,
	(text) => `'></code></div></script>${text}<!--`,
	(text) => text.replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
	(text) => encodeURIComponent(text),
	(text) => `*/]]>--!>${text.toUpperCase().replaceAll('WINDOW.PWNED', 'window.pwned')}`,
];
const others = [
	'__proto__', 'constructor', 'toString', 'hasOwnProperty', 'null', 'undefined', 'NaN', '', ' ', '-', '0', '[object Object]', 'a'.repeat(3000), '\u202egnp.exe', 'abc\u2066\u2067def\u2069', 'zero\u200bwidth\u200djoin\ufeffed', '\u0000\u0001\u001b[31mred\u001b[0m\u0007', '\\x1b]8;;javascript:window.pwned=1\\x07link\\x1b]8;;\\x07',
	'\\x1b[31m<script>window.pwned=1</script>\\x1b[0m', '\\x1b[38;5;196;1;4;7mx', 'event: snapshot\ndata: {"version":1,"ok":true,"snapshot":true,"agent_statuses":[]}\n\n', '"},"ok":true,"x":{"', '\u2028\u2029', '<\u0000script>window.pwned=1</script>', '../../../../etc/passwd', '/static/../../x', 'file:///etc/passwd', '//pwned.example/', '\\\\pwned\\x',
	'[click](javascript:window.pwned=1)', '![x](/pwned.png)', '<!--', '-->', ']]>', '</title><script>window.pwned=1</script>', '\ud800', 'e\u0301'.repeat(400), '\u{e0041}\u{e0042}', 'Аdmin (Cyrillic A)', '💣'.repeat(50), '@@ -1,1 +1,1 @@', 'diff --git a/x b/x',
];

export const payloads = [...dresses.flatMap((dress) => attempts.map(dress)), ...others];
