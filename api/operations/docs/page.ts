/** The API's document as one page for people. It carries its own style and script, and may load nothing else. */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Document, DocumentOperation } from '../openapi/form.ts';
import { typeText } from './type-text.ts';

const own = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');
const STYLE = own('page.css');
const SCRIPT = own('page.js');

const allowing = (text: string): string => `'sha256-${hash('sha256', text, 'base64')}'`;

/** Nothing but the style and the script that were written here, from no host at all. */
export const CONTENT_SECURITY_POLICY = [
  `default-src 'none'`,
  `style-src ${allowing(STYLE)}`,
  `script-src ${allowing(SCRIPT)}`,
  `base-uri 'none'`,
  `form-action 'none'`,
  `frame-ancestors 'none'`,
].join('; ');

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escapeText = (text: string): string => text.replace(/[&<>"]/g, (character) => ESCAPES[character] ?? '');

/** Text with `code` marks. */
const prose = (text: string): string => escapeText(text).replace(/`([^`]+)`/g, '<code>$1</code>');
const code = (text: string): string => `<code>${escapeText(text)}</code>`;

type Call = DocumentOperation & { method: string; path: string };

export const renderPage = (document: Document): string => {
  const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Call => ({ ...operation, method: method.toUpperCase(), path })),
  );
  const groups = document.tags.flatMap((tag) => {
    const ofTag = calls.filter(({ tags }) => tags.includes(tag.name));
    return ofTag.length > 0 ? [{ ...tag, calls: ofTag }] : [];
  });
  const { info, components } = document;
  const links = groups.map(
    ({ name, calls: ofTag }) => `<h2>${escapeText(name)}</h2><ul>${ofTag.map(link).join('')}</ul>`,
  );
  const sections = groups.map(
    ({ name, description, calls: ofTag }) =>
      `<section id="tag-${name}"><h2>${escapeText(name)}</h2><p>${prose(description)}</p>${ofTag.map(call).join('')}</section>`,
  );
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => `<section id="schema-${name}"><h3>${escapeText(name)}</h3>${fields(schema)}</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeText(info.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#calls">Skip to the calls</a>
<div class="page">
<nav aria-label="Calls">
<p hidden><label for="filter">Filter calls</label><input id="filter" type="search" autocomplete="off"></p>
${links.join('\n')}
<h2>forms</h2><ul>${Object.keys(components.schemas)
    .map((name) => `<li>${schemaLink(name)}</li>`)
    .join('')}</ul>
</nav>
<main id="calls">
<h1>${escapeText(info.title)} <span class="quiet">${escapeText(info.version)}</span></h1>
<p>${prose(info.description)}</p>
<pre><code>curl -X POST <span class="origin">http://localhost:4000</span>/v1/complete -H "Content-Type: application/json" -H "X-API-Key: your-platform-key" -d '{"messages":[{"role":"user","content":"Hello!"}]}'</code></pre>
<p>For programs: <a href="/openapi.json">openapi.json</a>, OpenAPI ${escapeText(document.openapi)}.</p>
${sections.join('\n')}
<section id="schemas"><h2>Forms</h2>${schemas.join('\n')}</section>
</main>
</div>
<script>${SCRIPT}</script>
</body>
</html>
`;
};

const link = ({ operationId, method, path }: Call): string =>
  `<li><a href="#${operationId}"><span class="method">${method}</span> ${escapeText(path)}</a></li>`;

const schemaLink = (name: string): string => `<a href="#schema-${name}">${escapeText(name)}</a>`;

const call = ({
  operationId,
  method,
  path,
  summary,
  description,
  parameters,
  requestBody,
  responses,
}: Call): string => `
<section id="${operationId}">
<h3><span class="method">${method}</span> ${code(path)}</h3>
<p>${prose(summary)}. ${prose(description ?? '')}</p>
${table(
  ['parameter', 'in', 'type', ''],
  parameters.map(({ name, in: place, required, schema, description: meaning = '' }) => [
    code(name),
    `${place}${required ? ', required' : ''}`,
    type(schema),
    prose(meaning),
  ]),
)}
${Object.entries(requestBody?.content ?? {})
  .map(
    ([media, { schema }]) => `<p>Body${requestBody?.required ? '' : ', optional'}: ${code(media)}, ${type(schema)}</p>`,
  )
  .join('')}
${table(
  ['answer', 'body', ''],
  Object.entries(responses).map(([status, { description: meaning, content = {} }]) => [
    code(status),
    Object.entries(content)
      .map(([media, { schema }]) => (Object.keys(schema).length > 0 ? type(schema) : code(media)))
      .join(', '),
    meaning
      .split('\n\n')
      .map((line) => `<p>${prose(line)}</p>`)
      .join(''),
  ]),
)}
</section>`;

const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  rows.length === 0
    ? ''
    : `<div class="scroll"><table><thead><tr>${header.map((name) => `<th scope="col">${name}</th>`).join('')}</tr></thead><tbody>${rows
        .map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
        .join('')}</tbody></table></div>`;

/** A schema's type in words, with links to the forms that it names. */
const type = (schema: object): string =>
  escapeText(typeText(schema)).replace(/#(\w+)/g, (_, name: string) => schemaLink(name));

const fields = (schema: object): string => {
  const rows = flatten(schema, '');
  return rows.length === 0
    ? `<p>${type(schema)}</p>`
    : table(
        ['field', 'type', ''],
        rows.map(({ name, schema: field, required }) => [
          `${code(name)}${required ? '' : ' <span class="quiet">optional</span>'}`,
          type(field),
          prose('description' in field ? String(field.description) : ''),
        ]),
      );
};

type Field = { name: string; schema: object; required: boolean };

/** The fields of an object, those of objects in it after their own. */
const flatten = (schema: object, prefix: string): Field[] => {
  const { properties = {}, required = [] } = schema as { properties?: Record<string, object>; required?: string[] };
  return Object.entries(properties).flatMap(([name, field]) => [
    { name: `${prefix}${name}`, schema: field, required: required.includes(name) },
    ...inner(field).flatMap(({ schema: part, suffix }) => flatten(part, `${prefix}${name}${suffix}.`)),
  ]);
};

/** The objects that a field holds by itself, in a list or as one of several forms. */
const inner = (schema: object): { schema: object; suffix: string }[] => {
  const { items, anyOf, properties } = schema as { items?: object; anyOf?: object[]; properties?: object };
  if (properties) return [{ schema, suffix: '' }];
  if (items) return inner(items).map((each) => ({ ...each, suffix: `[]${each.suffix}` }));
  return anyOf?.flatMap(inner) ?? [];
};
