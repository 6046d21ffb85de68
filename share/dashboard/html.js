// Preact bound to tagged templates, and the hooks: what every module with something to show imports.
import { h, render, Component, Fragment } from './preact.js';
import htm from './htm.js';

export const html = htm.bind(h);
export { render, Component, Fragment };
export { useState, useReducer, useEffect, useLayoutEffect, useRef, useMemo, useCallback } from './preact-hooks.js';
