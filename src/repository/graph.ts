/**
 * Which operations a run of a graph may execute, read from its GraphDef without TensorFlow.
 */
import protobuf from 'protobufjs';

// graph.proto, function.proto, node_def.proto and attr_value.proto, less what is not needed here.
const { root } = protobuf.parse(`
  syntax = "proto3";
  package tensorflow;
  message NameAttrList { string name = 1; }
  message ListValue { repeated NameAttrList func = 9; }
  message AttrValue {
    ListValue list = 1;
    NameAttrList func = 10;
  }
  message NamedAttrValue {
    string key = 1;
    AttrValue value = 2;
  }
  message NodeDef {
    string name = 1;
    string op = 2;
    repeated string input = 3;
    repeated NamedAttrValue attr = 5;
  }
  message OpDef { string name = 1; }
  message FunctionDef {
    OpDef signature = 1;
    repeated NodeDef node_def = 3;
  }
  message FunctionDefLibrary { repeated FunctionDef function = 1; }
  message GraphDef {
    repeated NodeDef node = 1;
    FunctionDefLibrary library = 2;
  }
`);
const GraphDef = root.lookupType('tensorflow.GraphDef');

interface NodeDef {
  readonly name: string;
  readonly op: string;
  readonly input: readonly string[];
  readonly attr: readonly { readonly value?: AttrValue }[];
}

interface AttrValue {
  readonly list?: { readonly func: readonly { readonly name: string }[] };
  readonly func?: { readonly name: string };
}

/** A graph whose nodes can be looked up. */
export class Graph {
  private readonly nodes: ReadonlyMap<string, NodeDef>;
  private readonly functions: ReadonlyMap<string, readonly NodeDef[]>;

  /** @param graphDef a serialized `tensorflow.GraphDef`; all of it becomes objects, so not for large ones */
  constructor(graphDef: Uint8Array) {
    const { node, library } = GraphDef.toObject(GraphDef.decode(graphDef), { defaults: true });
    this.nodes = new Map((node as NodeDef[]).map((each) => [each.name, each]));
    const functions: { signature?: { name: string }; nodeDef: NodeDef[] }[] = library?.function ?? [];
    this.functions = new Map(functions.map(({ signature, nodeDef }) => [signature?.name ?? '', nodeDef]));
  }

  /**
   * The operations behind these tensors, those in the functions that they call included. More than a run executes where
   * TensorFlow prunes or folds some.
   *
   * @param tensors as a signature names them, `operation:index`
   */
  operationsBehind(tensors: Iterable<string>): ReadonlySet<string> {
    const operations = new Set<string>();
    const seen = new Set<string>();
    const calls: NodeDef[] = [];
    const names = Array.from(tensors, nodeName);
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const node = this.nodes.get(name);
      if (seen.has(name)) continue;
      seen.add(name);
      // What the graph does not say is no operation that anybody knows.
      if (!node) operations.add(name);
      else calls.push(node);
      names.push(...(node?.input ?? []).map(nodeName));
    }
    const called = new Set<string>();
    for (let node = calls.pop(); node !== undefined; node = calls.pop()) {
      operations.add(node.op);
      for (const name of functionsOf(node)) {
        if (called.has(name)) continue;
        called.add(name);
        const body = this.functions.get(name);
        if (!body) operations.add(name);
        else calls.push(...body);
      }
    }
    return operations;
  }
}

/** `^a` is a control input, `a:1` the second output of `a`. */
function nodeName(input: string): string {
  return input.replace(/^\^/, '').replace(/:\d+$/, '');
}

function functionsOf({ attr }: NodeDef): string[] {
  return attr.flatMap(({ value }) =>
    [value?.func, ...(value?.list?.func ?? [])].flatMap((each) => each?.name || []),
  );
}
