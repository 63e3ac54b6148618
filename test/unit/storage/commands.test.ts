/** What the Lua of the commands may come to. */
import luaparse from 'luaparse';
import { describe, expect, test } from 'vitest';
import { argumentsOf } from '../../../shared/storage/commands/command.ts';
import { COMMANDS } from '../../../shared/storage/commands/run/catalogue.ts';
import { composeCommands, composeScript } from '../../../shared/storage/commands/run/compose.ts';

/** A chunk of Lua has room for 200 locals. */
const MAX_LOCALS = 40;
/** A function of Lua has room for 60 names of what is around it. */
const MAX_UPVALUES = 40;
const MAX_SCRIPT_BYTES = 64 * 1_024;
const MAX_LIBRARY_BYTES = 160 * 1_024;

const { library, scripts } = composeCommands(COMMANDS);
const bodyOf = (text: string) => luaparse.parse(text.replace(/^#!.*/, ''), { luaVersion: '5.1' }).body;

const localsOf = (text: string): number =>
  bodyOf(text).reduce((sum, statement) => {
    if (statement.type === 'LocalStatement') return sum + statement.variables.length;
    return statement.type === 'FunctionDeclaration' && statement.isLocal ? sum + 1 : sum;
  }, 0);

describe('budgets', () => {
  test('of the library', () => {
    expect(localsOf(library.text)).toBeLessThanOrEqual(Math.min(MAX_LOCALS, MAX_UPVALUES));
    expect(library.text.length).toBeLessThan(MAX_LIBRARY_BYTES);
  });
  test.each(COMMANDS.map(({ name }) => name))('of the script %s', (name) => {
    const text = scripts.get(name)?.text ?? '';
    expect(localsOf(text)).toBeLessThanOrEqual(MAX_LOCALS);
    expect(text.length).toBeLessThan(MAX_SCRIPT_BYTES);
  });
  test('what is done before a command begins: tables and functions are made, nothing is computed', () => {
    const { text } = composeScript({ text: 'return 1', inputs: {}, flags: [] });
    expect(bodyOf(text).map(({ type }) => type)).toEqual([
      // The names, the frame, then the call.
      'FunctionDeclaration',
      ...['LocalStatement', 'LocalStatement', 'LocalStatement', 'FunctionDeclaration', 'LocalStatement'],
      ...['FunctionDeclaration', 'FunctionDeclaration', 'CallStatement', 'ReturnStatement'],
    ]);
  });
});

test('a script holds only the modules that its command uses', () => {
  const textOf = (name: string): string => scripts.get(name)?.text ?? '';
  expect(textOf('touch-key')).not.toContain('local Lanes');
  expect(textOf('settle')).toContain('local Lanes');
  expect(textOf('take-request').indexOf('local Limits')).toBeGreaterThan(0);
});

test('each module stands behind those that it uses', () => {
  const order = [...library.text.matchAll(/^local ([A-Z]\w*) = \(function\(\)$/gm)].map(([, name]) => name);
  expect(order.length).toBeGreaterThan(10);
  for (const [before, after] of [
    ['Bytes', 'Jobs'],
    ['Lanes', 'Feed'],
    ['Outbox', 'Batches'],
  ]) {
    expect(order.indexOf(before)).toBeLessThan(order.indexOf(after));
  }
});

test('a module that is not there is named, with who uses it', () => {
  expect(() => composeScript({ text: 'return Nothing.at_all()', inputs: {}, flags: [] })).toThrow(
    'no Lua module Nothing, which a command uses',
  );
});

test('commands have names of their own, and a list is the last input', () => {
  expect(new Set(COMMANDS.map(({ name }) => name)).size).toBe(COMMANDS.length);
  for (const { inputs } of COMMANDS)
    expect(Object.values(inputs).indexOf('list')).toBeOneOf([-1, Object.keys(inputs).length - 1]);
});

test('an input reaches Lua in the order of the definition, nothing as an empty text', () => {
  const inputs = { id: 'text', count: 'whole', isLate: 'flag', ids: 'list' } as const;
  expect(argumentsOf(inputs, { ids: ['a', 'b'], isLate: true, id: null, count: 3 })).toEqual(['', 3, '1', 'a', 'b']);
  expect(argumentsOf(inputs, { ids: [], isLate: false, id: 'x', count: 0 })).toEqual(['x', 0, '']);
});
