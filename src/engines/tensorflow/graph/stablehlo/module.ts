/**
 * Reads a StableHLO module from MLIR's bytecode: its functions, and the operations of each. Every value has a number of
 * its own in the whole module.
 */

import type { Turns } from '../../../../flow/turns.js';
import type { GraphNode } from '../graph-def.js';
import type { Mixed } from '../value.js';
import type { Message } from '../wire.js';
import { Attributes } from './attributes.js';
import { type Bytecode, readBytecode, since } from './bytecode.js';
import { Cursor, Malformed } from './cursor.js';
import { type Type, typeAt } from './types.js';

/** An operation, for example `reduce`. */
export interface ModuleOperation {
  /** The name without version, and with the dialect only if that is not VHLO. */
  readonly name: string;
  readonly attributes: Attributes;
  /** The numbers of the values. */
  readonly operands: readonly number[];
  readonly results: readonly Result[];
  readonly regions: readonly Region[];
}

/** A value that is made here. */
export interface Result {
  readonly value: number;
  readonly type: Type;
}

/** The operations, in order. The last one returns. */
export interface Region {
  readonly parameters: readonly Result[];
  readonly operations: readonly ModuleOperation[];
}

export interface Module {
  readonly functions: ReadonlyMap<string, Region>;
  /** The names of all operations, whether or not they are run. */
  readonly operationNames: ReadonlySet<string>;
}

/** The modules that a walk has read, by the node that runs each, or why one could not be read. */
export type Modules = Map<GraphNode, Module | Mixed>;

/** The bits that say which parts an operation has. */
const parts = {
  attributes: 1,
  results: 2,
  operands: 4,
  successors: 8,
  regions: 16,
  useOrders: 32,
  properties: 64,
} as const;

const maxOperations = 500_000;

/** The most regions within regions. */
const maxDepth = 64;

/** The section of a region that stands alone. */
const irSection = 4;

/**
 * Reads a module, with pauses for the event loop.
 *
 * @param bytes is a portable artifact of StableHLO
 * @throws Malformed
 */
export async function readModule(bytes: Message, turns: Turns): Promise<Module> {
  const bytecode = readBytecode(bytes);
  const reader = new RegionReader(bytecode, turns);
  const [outer] = (await reader.block(new Cursor(bytecode.ir), 0)).operations;
  const [module] = outer?.name === 'builtin.module' ? outer.regions : [];
  if (!module) throw new Malformed('expected a module');
  const functions = new Map<string, Region>();
  for (const { name, attributes, regions } of module.operations)
    if (name === 'func' && regions[0]) functions.set(attributes.string('sym_name'), regions[0]);
  return { functions, operationNames: new Set(bytecode.operations.map(shortName)) };
}

function shortName({ dialect, name }: { readonly dialect: string; readonly name: string }): string {
  return dialect === 'vhlo' ? name.replace(/_v\d+$/, '') : `${dialect}.${name}`;
}

class RegionReader {
  /** The values that can be named here, by their number in the bytes. */
  private scope = new Map<number, number>();
  /** The numbers in the bytes for the values of this region: the next one, and the end. */
  private numbers = { next: 0, end: 0 };
  private values = 0;
  private count = 0;

  constructor(
    private readonly bytecode: Bytecode,
    private readonly turns: Turns,
  ) {}

  /** Reads a block with its head. */
  async block(cursor: Cursor, depth: number): Promise<Region> {
    const { value: count, flag: hasParameters } = cursor.flagged();
    if (count > cursor.left) throw new Malformed(`expected ${count} operations`);
    const parameters: Result[] = [];
    if (hasParameters) {
      for (let left = cursor.count(); left > 0; left--) {
        const { value: type, flag: hasLocation } = this.isSince('optionalLocations')
          ? cursor.flagged()
          : { value: cursor.varint(), flag: true };
        if (hasLocation) cursor.varint();
        parameters.push(this.define(type));
      }
      if (this.isSince('useOrders') && cursor.byte() !== 0) skipUseOrders(cursor, parameters.length);
    }
    const operations: ModuleOperation[] = [];
    while (operations.length < count) {
      const pausing = this.turns.pause();
      if (pausing) await pausing;
      operations.push(await this.operation(cursor, depth));
    }
    return { parameters, operations };
  }

  private isSince(change: keyof typeof since): boolean {
    return this.bytecode.version >= since[change];
  }

  private define(type: number): Result {
    const value = this.values++;
    if (this.numbers.next >= this.numbers.end) throw new Malformed('expected fewer values in a region');
    this.scope.set(this.numbers.next++, value);
    return { value, type: typeAt(this.bytecode, type) };
  }

  private async operation(cursor: Cursor, depth: number): Promise<ModuleOperation> {
    if (++this.count > maxOperations) throw new Malformed(`expected at most ${maxOperations} operations`);
    const name = this.bytecode.operations[cursor.varint()];
    if (!name) throw new Malformed('expected an operation of the table');
    const has = cursor.byte();
    cursor.varint();
    const dictionary = has & parts.attributes ? cursor.varint() : undefined;
    const properties = has & parts.properties ? this.bytecode.properties[cursor.varint()] : undefined;
    if (has & parts.properties && (!properties || !name.isRegistered))
      throw new Malformed(`expected properties of ${name.name} that are encoded`);
    const types = has & parts.results ? cursor.varints() : [];
    const operands = (has & parts.operands ? cursor.varints() : []).map((place) => {
      const value = this.scope.get(place);
      if (value === undefined) throw new Malformed(`expected a value before ${name.name}`);
      return value;
    });
    if (has & parts.successors) throw new Malformed('expected no jumps between blocks');
    if (has & parts.useOrders) skipUseOrders(cursor, types.length);
    const { value: regions, flag: isIsolated } =
      has & parts.regions ? cursor.flagged() : { value: 0, flag: false };
    if (regions > cursor.left) throw new Malformed(`expected ${regions} regions`);
    const results = types.map((type) => this.define(type));
    return {
      name: shortName(name),
      attributes: this.isSince('properties')
        ? Attributes.ofProperties(this.bytecode, name.dialect === 'vhlo' ? name.name : '', properties)
        : Attributes.ofDictionary(this.bytecode, dictionary),
      operands,
      results,
      regions: regions === 0 ? [] : await this.regions(cursor, regions, isIsolated, depth + 1),
    };
  }

  private async regions(
    cursor: Cursor,
    count: number,
    isIsolated: boolean,
    depth: number,
  ): Promise<Region[]> {
    if (depth > maxDepth) throw new Malformed(`expected at most ${maxDepth} regions within each other`);
    const { scope, numbers } = this;
    const regions: Region[] = [];
    let within = cursor;
    if (isIsolated && this.isSince('isolatedSections')) {
      const { id, bytes } = cursor.section();
      if (id !== irSection) throw new Malformed('expected the section of a region');
      within = new Cursor(bytes);
    }
    if (isIsolated) this.scope = new Map();
    for (let i = 0; i < count; i++)
      regions.push(await this.region(within, isIsolated ? 0 : numbers.end, depth));
    this.scope = scope;
    this.numbers = numbers;
    return regions;
  }

  /** @param start is the number of its first value. The values of the regions around it have the numbers before */
  private async region(cursor: Cursor, start: number, depth: number): Promise<Region> {
    const blocks = cursor.varint();
    if (blocks === 0) return { parameters: [], operations: [] };
    if (blocks !== 1) throw new Malformed('expected no jumps between blocks');
    this.numbers = { next: start, end: start + cursor.varint() };
    const block = await this.block(cursor, depth);
    for (let number = start; number < this.numbers.next; number++) this.scope.delete(number);
    return block;
  }
}

/** Skips the order of a value's uses, which means nothing here. */
function skipUseOrders(cursor: Cursor, count: number): void {
  for (let left = count > 1 ? cursor.count() : 1; left > 0; left--) {
    if (count > 1) cursor.varint();
    for (let orders = cursor.flagged().value; orders > 0; orders--) cursor.varint();
  }
}
