/**
 * Reads CBOR inference requests (RFC 8949), with tensors as RFC 8746 describes them.
 *
 * {@link CborReader} reads the heads. A typed array becomes a view on the body, and only plain values become objects.
 */
import { invalidArgument, type ServingError } from '../../errors.js';
import { type Claim, claimNothing, Meter, type Steps, toEnd } from '../../flow/steps.js';
import { CborReader, describeTag, type Item, major, type Range, tags } from '../../tensors/cbor-reader.js';
import { plainInSteps } from '../../tensors/cbor-values.js';
import { bytesToRowMajor, listToRowMajor } from '../../tensors/column-major.js';
import { dtypes, elementCount } from '../../tensors/dtypes.js';
import { bounds, bytesPerWork, pieceBytes, valueBytes } from '../../tensors/limits.js';
import { isList } from '../../tensors/long-list.js';
import { checkStrings } from '../../tensors/plain-values.js';
import { StringGatherer, type Strings } from '../../tensors/strings.js';
import { typedArrays } from '../../tensors/typed-arrays.js';
import { viewOf } from '../../tensors/values.js';
import { swappedInSteps } from '../byte-order.js';
import { refuseForeignBody } from '../foreign-body.js';
import { checkEnvelope, checkNameCount, type InferBody } from '../infer-body.js';
import { adviceForMaps } from '../other-protocols.js';
import { perLimits } from '../slots.js';
import {
  checkByteCount,
  checkDtype,
  checkRank,
  checkShape,
  dtypeIsNoText,
  isMapOfParts,
  isTensorMap,
  type KnownTensor,
  type PartsOfTensor,
  stackRows,
  type TypedTensor,
  type UnevenRows,
  type WireLimits,
} from '../wire.js';
import { CborRequestTemplates } from './request-templates.js';

/**
 * Reads the body of an inference request. It has the flat form `{name: tensor}`, or it is the envelope `{"inputs":
 * {name: tensor}, "signature"?, "outputs"?}`. It is the envelope only if `inputs` is a map that is not itself a tensor.
 * So an input may have any name.
 *
 * @throws ServingError INVALID_ARGUMENT saying what is wrong and where
 */
export function decodeInferRequest(body: Uint8Array, limits: WireLimits): InferBody {
  return toEnd(inferRequestInSteps(body, limits, claimNothing));
}

/**
 * Does the same as {@link decodeInferRequest}, in steps.
 * @param claim is called before values take memory; views on the body take none
 */
export function* inferRequestInSteps(body: Uint8Array, limits: WireLimits, claim: Claim): Steps<InferBody> {
  const known = knownRequest(body, limits);
  if (known) return known;
  refuseForeignBody(body);
  const request = yield* new RequestDecoder(body, limits, claim).request();
  templatesUnder(limits).keep(body, request);
  return request;
}

/** What a body says, at once, if it differs from an earlier body only in its values. */
export function knownRequest(body: Uint8Array, limits: WireLimits): InferBody | undefined {
  return templatesUnder(limits).match(body);
}

const templatesUnder = perLimits(() => new CborRequestTemplates());

class RequestDecoder {
  private readonly meter = new Meter();
  private arrays = 0;

  constructor(
    private readonly body: Uint8Array,
    private readonly limits: WireLimits,
    private readonly claim: Claim,
  ) {}

  *request(): Steps<InferBody> {
    const reader = new CborReader(this.body);
    this.skipSelfDescription(reader);
    if (reader.peekMajor() !== major.map) {
      throw invalidArgument('the body must be a CBOR map from input names to tensors: {"x": ...}');
    }
    const entries = yield* reader.map('the body', this.limits.maxDepth);
    if (reader.position < this.body.length) {
      throw invalidArgument(`${this.body.length - reader.position} bytes follow the end of the CBOR body`);
    }
    const inputs = entries.get('inputs');
    const envelope = inputs && (yield* this.readMap(inputs));
    if (!envelope || isTensorMap(envelope))
      return { inputs: yield* this.tensors(entries), signature: undefined, outputs: undefined };
    checkEnvelope(entries.keys());
    const [signature, outputs] = [this.said(entries.get('signature')), this.said(entries.get('outputs'))];
    return {
      inputs: yield* this.tensors(envelope),
      signature: signature?.name('`signature`'),
      outputs: outputs && (yield* this.names(outputs)),
    };
  }

  private skipSelfDescription(reader: CborReader): void {
    if (this.body.length === 0)
      throw invalidArgument('the body is empty: send a CBOR map from input names to tensors');
    if (reader.peekMajor() !== major.tag) return;
    const { argument } = reader.head();
    if (argument !== tags.selfDescribed)
      throw invalidArgument(`expected a CBOR map as the body, got tag ${describeTag(argument ?? 0)}`);
  }

  private readerAt(item: Range): CborReader {
    return new CborReader(this.body.subarray(0, item.end), item.start);
  }

  private said(item: Range | undefined): CborReader | undefined {
    // null and undefined mean that nothing was said.
    if (!item || this.body[item.start] === 0xf6 || this.body[item.start] === 0xf7) return undefined;
    return this.readerAt(item);
  }

  private *names(reader: CborReader): Steps<string[]> {
    if (reader.peekMajor() !== major.array) throw invalidArgument('`outputs` must be a list of output names');
    const { argument: length } = reader.head();
    const names: string[] = [];
    if (length !== null) checkNameCount(length);
    while (!reader.atEnd(length, names.length)) {
      checkNameCount(names.length + 1);
      const name = reader.name('an element of `outputs`');
      names.push(name);
      if (this.meter.isDue(1 + name.length / bytesPerWork)) yield;
    }
    return names;
  }

  private *readMap(item: Item, what = '`inputs`'): Steps<Map<string, Item> | undefined> {
    const reader = this.readerAt(item);
    return reader.peekMajor() === major.map ? yield* reader.map(what, this.limits.maxDepth) : undefined;
  }

  private *tensors(entries: ReadonlyMap<string, Item>): Steps<Map<string, KnownTensor>> {
    const tensors = new Map<string, KnownTensor>();
    for (const [name, item] of entries) {
      tensors.set(name, yield* this.tensor(`input \`${name}\``, item));
      if (this.meter.isDue(workPerTensor)) yield;
    }
    return tensors;
  }

  private *tensor(what: string, item: Item): Steps<KnownTensor> {
    const reader = this.readerAt(item);
    switch (reader.peekMajor()) {
      case major.tag:
        return yield* this.tagged(what, item, reader);
      case major.map:
        return yield* this.described(what, item);
      case major.array:
        return item.holdsArrays ? yield* this.stack(what, reader) : yield* this.plain(item);
      default:
        return yield* this.plain(item);
    }
  }

  private *plain(item: Item): Steps<KnownTensor> {
    if (item.heads > 1024) this.claim(item.heads * valueBytes.number);
    return { kind: 'plain', value: yield* plainInSteps(this.readerAt(item)) };
  }

  private *tagged(what: string, item: Item, reader: CborReader): Steps<KnownTensor> {
    const tag = reader.head().argument ?? 0;
    const content = yield* reader.skipInSteps(this.limits.maxDepth);
    if (tag === tags.multiDimensional || tag === tags.columnMajor) {
      return yield* this.multiDimensional(what, content, tag === tags.columnMajor);
    }
    if (tag === tags.homogeneous || tag === tags.selfDescribed) return yield* this.tensor(what, content);
    if (tag === tags.positiveBignum || tag === tags.negativeBignum) return yield* this.plain(item);
    return yield* this.typedArray(what, tag, content);
  }

  /** Reads a typed array (RFC 8746, section 2). */
  private *typedArray(what: string, tag: number, content: Range): Steps<KnownTensor> {
    const type = typedArrays.get(tag);
    if (!type)
      throw invalidArgument(`${what} is a typed array of a type that no dtype here has (tag ${tag})`);
    const [dtype, bigEndian] = type;
    const bytes = this.byteString(what, content);
    const { size } = dtypes[dtype];
    if (bytes.length % size !== 0)
      throw invalidArgument(`${what}: ${bytes.length} bytes are no whole number of ${dtype} elements`);
    const data = bigEndian ? yield* swappedInSteps(bytes, size, this.claim) : bytes;
    return { kind: 'typed', dtype, shape: checkShape(what, [bytes.length / size], this.limits), data };
  }

  private byteString(what: string, item: Range): Uint8Array {
    const reader = this.readerAt(item);
    if (reader.peekMajor() !== major.bytes) throw invalidArgument(`${what}: its data must be a byte string`);
    return reader.take(reader.head().argument ?? 0);
  }

  /** Reads `[dimensions, elements]` (RFC 8746, section 3.1). */
  private *multiDimensional(what: string, item: Item, columnMajor: boolean): Steps<KnownTensor> {
    const reader = this.readerAt(item);
    const [dims, content] = reader.peekMajor() === major.array ? yield* this.pair(what, reader) : [];
    if (!dims || !content) throw notAPair(what);
    const shape = yield* this.shape(what, dims);
    const elements = yield* this.tensor(what, content);
    if (elements.kind === 'plain') {
      if (elements.shape || !isList(elements.value))
        throw invalidArgument(`${what}: its elements must be an array`);
      const mayReorder = columnMajor && elements.value.length === elementCount(shape);
      return {
        kind: 'plain',
        value: mayReorder ? yield* listToRowMajor(shape, elements.value, this.claim) : elements.value,
        shape,
      };
    }
    if (elements.kind !== 'typed' || elements.shape.length !== 1)
      throw invalidArgument(`${what} has an array within an array`);
    if (elements.dtype === 'string') throw invalidArgument(`${what}: strings must be a plain array`);
    const bytes = elements.data as Uint8Array;
    checkByteCount(what, elements.dtype, shape, bytes.length);
    if (!columnMajor) return { ...elements, shape };
    if (bytes.length > pieceBytes) this.claim(bytes.length);
    const data = yield* bytesToRowMajor(shape, bytes, dtypes[elements.dtype].size);
    return { ...elements, shape, data };
  }

  private *pair(what: string, reader: CborReader): Steps<Item[]> {
    const { argument: length } = reader.head();
    const items: Item[] = [];
    while (!reader.atEnd(length, items.length)) {
      if (items.length === 2) throw notAPair(what);
      items.push(yield* reader.skipInSteps(this.limits.maxDepth));
    }
    return items;
  }

  private *shape(what: string, item: Item): Steps<readonly number[]> {
    const wire = yield* this.tensor(`the shape of ${what}`, item);
    if (wire.kind === 'typed') checkRank(what, elementCount(wire.shape));
    const dims = toDims(wire);
    if (!dims) throw invalidArgument(`the shape of ${what} must be a list of sizes`);
    if (dims.length > manyDims) this.claim(dims.length * valueBytes.number);
    return checkShape(what, dims, this.limits);
  }

  /**
   * Reads `{dtype, shape, data}`, the form for dtypes that have no tag in RFC 8746. The data is little-endian bytes, a
   * typed array or strings.
   */
  private *described(what: string, item: Item): Steps<KnownTensor> {
    const entries = yield* this.readMap(item, what);
    if (entries && isMapOfParts(entries)) return yield* this.parts(what, entries);
    if (!entries || !isTensorMap(entries)) {
      const [, list] = /^input `(.*?)` at \[/.exec(what) ?? [];
      const advice = adviceForMaps(list, entries ?? new Map());
      if (advice !== undefined) throw invalidArgument(advice);
      throw invalidArgument(
        `${what} is a map, and no tensor: send an array, a typed array, {dtype, shape, data}, ` +
          'or the parts of a sparse or ragged tensor',
      );
    }
    const named = this.readerAt(entries.get('dtype') as Range);
    if (named.peekMajor() !== major.text) throw dtypeIsNoText(what);
    const dtype = checkDtype(what, named.name(`the dtype of ${what}`));
    const shape = yield* this.shape(what, entries.get('shape') as Item);
    const data = entries.get('data') as Item;
    if (dtype === 'string')
      return { kind: 'typed', dtype, shape, data: yield* this.strings(what, shape, data) };
    const content = yield* this.tensor(what, data);
    if (content.kind === 'plain' && content.value instanceof Uint8Array) {
      checkByteCount(what, dtype, shape, content.value.length);
      return { kind: 'typed', dtype, shape, data: this.byteString(what, data) };
    }
    if (content.kind === 'typed' && content.dtype !== 'string') {
      if (content.dtype !== dtype)
        throw invalidArgument(`${what} says ${dtype}, and its data is a typed array of ${content.dtype}`);
      checkByteCount(what, dtype, shape, content.data.length);
      return { ...content, shape };
    }
    throw invalidArgument(`${what}: data must be the little-endian bytes of its elements`);
  }

  /** Reads the parts of a sparse or ragged tensor. The values of a ragged tensor may have parts themselves. */
  private *parts(what: string, entries: ReadonlyMap<string, Item>): Steps<PartsOfTensor> {
    const parts = new Map<string, KnownTensor>();
    for (const [key, item] of entries) parts.set(key, yield* this.tensor(`\`${key}\` of ${what}`, item));
    return { kind: 'parts', parts };
  }

  private *strings(what: string, shape: readonly number[], item: Item): Steps<Strings> {
    const reader = this.readerAt(item);
    if (reader.peekMajor() !== major.array)
      throw invalidArgument(`${what}: strings must be an array of texts or byte strings`);
    checkStrings(what, item.heads - 1);
    const { argument: length } = reader.head();
    const expected = elementCount(shape);
    const strings = new StringGatherer(Math.min(expected, item.heads), this.claim);
    let count = 0;
    while (!reader.atEnd(length, count)) {
      const type = reader.peekMajor();
      if (type !== major.text && type !== major.bytes)
        throw invalidArgument(`${what}: expected texts or byte strings`);
      const string = reader.take(reader.head().argument ?? 0);
      // The strings beyond the expected number are counted too, so that the error can say how many came.
      if (count < expected) strings.add(string);
      count += 1;
      if (this.meter.isDue(1 + string.length / bytesPerWork)) yield;
    }
    if (count !== expected)
      throw invalidArgument(
        `${what}: expected ${expected} strings for shape [${shape.join(', ')}], got ${count}`,
      );
    return yield* strings.finish();
  }

  /**
   * Reads a list whose elements are arrays, for example a list of numpy arrays. If they fit together, they become one
   * tensor with one more dim in front.
   */
  private *stack(what: string, reader: CborReader): Steps<KnownTensor> {
    const { argument: length } = reader.head();
    const rows: (TypedTensor | UnevenRows)[] = [];
    while (!reader.atEnd(length, rows.length)) {
      this.arrays += 1;
      if (this.arrays > bounds.arrays.most)
        throw invalidArgument(
          `${what} has more than ${bounds.arrays.most} arrays in its lists: send one array`,
        );
      if ((this.arrays & 1023) === 0) this.claim(1024 * valueBytes.array);
      const item = yield* reader.skipInSteps(this.limits.maxDepth);
      const row = yield* this.tensor(`${what} at [${rows.length}]`, item);
      if (row.kind !== 'typed' && row.kind !== 'uneven')
        throw invalidArgument(`${what} mixes typed arrays with plain values: [${rows.length}] is plain`);
      rows.push(row);
      if (this.meter.isDue(workPerTensor)) yield;
    }
    return yield* stackRows(what, rows, this.limits, this.claim);
  }
}

/** Reading a tensor takes as long as reading this many values. */
const workPerTensor = 16;

/** A shape of more dims takes more memory than is claimed for an array. */
const manyDims = 16;

function notAPair(what: string): ServingError {
  return invalidArgument(`${what}: tags 40 and 1040 take [shape, elements]`);
}

/** The sizes in a list or a typed array; undefined for anything else. */
function toDims(wire: KnownTensor): readonly unknown[] | undefined {
  if (wire.kind === 'plain') return Array.isArray(wire.value) && !wire.shape ? wire.value : undefined;
  if (wire.kind !== 'typed' || wire.dtype === 'string' || wire.shape.length !== 1) return undefined;
  return Array.from(viewOf(wire.dtype, wire.data as Uint8Array) as Int32Array);
}
