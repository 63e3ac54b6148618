/** Who declares and who uses a name in a Lua file. */
import luaparse, { type Expression, type Identifier, type Node, type Statement } from 'luaparse';

type Place = { line: number };
export type Use = Place & { name: string };
export type Member = Place & { table: string; field: string; defined: boolean };
export type LuaScopes = {
  /** Names that nothing in the file declares. */
  free: Use[];
  /** Locals that nothing reads. */
  unused: Use[];
  /** Every local; `top`: of the file itself, not of a block in it. */
  declared: (Use & { top: boolean })[];
  /** `table.field` with a plain name before the dot. */
  members: Member[];
};

const lineOf = (node: Node): number => node.loc?.start.line ?? 0;

export const luaScopes = (text: string): LuaScopes => {
  const chunk = luaparse.parse(text, { locations: true, luaVersion: '5.1', comments: false });
  const found: LuaScopes = { free: [], unused: [], declared: [], members: [] };
  type Local = Use & { top: boolean; used: boolean };
  const scopes: Map<string, Local>[] = [];

  const declare = (id: Identifier, used = false): void => {
    const local = { name: id.name, line: lineOf(id), top: scopes.length === 1, used: used || id.name.startsWith('_') };
    scopes.at(-1)?.set(id.name, local);
    found.declared.push(local);
    all.push(local);
  };
  const all: Local[] = [];
  const use = (id: Identifier): void => {
    const local = scopes.findLast((scope) => scope.has(id.name))?.get(id.name);
    if (local) local.used = true;
    else found.free.push({ name: id.name, line: lineOf(id) });
  };
  const within = (declarations: readonly Identifier[], body: readonly Statement[]): void => {
    scopes.push(new Map());
    for (const id of declarations) declare(id, true);
    for (const statement of body) visit(statement);
    scopes.pop();
  };
  const member = (node: Expression, defined: boolean): void => {
    if (node.type === 'MemberExpression' && node.base.type === 'Identifier' && node.indexer === '.') {
      found.members.push({ table: node.base.name, field: node.identifier.name, line: lineOf(node), defined });
    }
  };
  /** What stands left of an assignment is not read. */
  const assign = (target: Expression): void => {
    member(target, true);
    if (target.type === 'Identifier') use(target);
    else visit(target.type === 'MemberExpression' ? target.base : target);
  };

  const visit = (node: Node | null): void => {
    switch (node?.type) {
      case 'Identifier':
        use(node);
        return;
      case 'LocalStatement':
        node.init.forEach(visit);
        for (const id of node.variables) declare(id);
        return;
      case 'AssignmentStatement':
        node.init.forEach(visit);
        node.variables.forEach(assign);
        return;
      case 'FunctionDeclaration': {
        const { identifier } = node;
        if (identifier?.type === 'Identifier' && node.isLocal) declare(identifier);
        else if (identifier) assign(identifier);
        within(
          node.parameters.filter((parameter) => parameter.type === 'Identifier'),
          node.body,
        );
        return;
      }
      case 'ForNumericStatement':
        [node.start, node.end, node.step].forEach(visit);
        within([node.variable], node.body);
        return;
      case 'ForGenericStatement':
        node.iterators.forEach(visit);
        within(node.variables, node.body);
        return;
      case 'IfStatement':
        for (const clause of node.clauses) {
          if ('condition' in clause) visit(clause.condition);
          within([], clause.body);
        }
        return;
      case 'DoStatement':
      case 'WhileStatement':
      case 'RepeatStatement':
        if ('condition' in node) visit(node.condition);
        within([], node.body);
        return;
      case 'MemberExpression':
        member(node, false);
        visit(node.base);
        return;
      case 'IndexExpression':
        visit(node.base);
        visit(node.index);
        return;
      case 'CallExpression':
        visit(node.base);
        node.arguments.forEach(visit);
        return;
      case 'CallStatement':
        visit(node.expression);
        return;
      case 'ReturnStatement':
        node.arguments.forEach(visit);
        return;
      case 'BinaryExpression':
      case 'LogicalExpression':
        visit(node.left);
        visit(node.right);
        return;
      case 'UnaryExpression':
        visit(node.argument);
        return;
      case 'TableConstructorExpression':
        for (const field of node.fields) {
          if (field.type === 'TableKey') visit(field.key);
          visit(field.value);
        }
        return;
      default:
        return;
    }
  };
  within([], chunk.body);
  found.unused = all.filter(({ used }) => !used);
  return found;
};
