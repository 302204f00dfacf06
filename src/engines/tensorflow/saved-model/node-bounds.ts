/**
 * Bounds what one node of a graph, or the head of one function, may hold. The bounds are many times what models have.
 *
 * Nodes and heads are read without a pause, so the bounds keep the time for each of them below some ten milliseconds.
 * Constants and modules of XLA are exempt, because nobody copies them.
 */
import { checkCount } from './meta-graphs.js';

/** The most fields of one message. */
const mostFields = 2 ** 16;

const most = {
  inputs: 2 ** 15,
  nameBytes: 2 ** 16,
  /** The bytes of all inputs of a node. */
  inputBytes: 2 ** 21,
  attributes: 2 ** 12,
  attributeBytes: 2 ** 18,
  signatureBytes: 2 ** 21,
  arguments: 2 ** 15,
  operations: 2 ** 16,
  functions: 2 ** 17,
} as const;

/**
 * Checks the number of fields of one message.
 * @param count of the fields so far
 * @throws ServingError FAILED_PRECONDITION, like all checks here
 */
export function checkFields(count: number): void {
  if (count > mostFields) checkCount(count, mostFields, 'fields in one part of a node or a function');
}

export function checkInputs(count: number, bytes: number): void {
  checkCount(count, most.inputs, 'inputs of a node');
  checkCount(bytes, most.inputBytes, 'bytes in the names of the inputs of a node');
}

/** Checks the name of a node, an operation or an input. */
export function checkNameBytes(bytes: number): void {
  checkCount(bytes, most.nameBytes, 'bytes in a name in a graph');
}

export function checkAttributes(count: number): void {
  checkCount(count, most.attributes, 'attributes of a node');
}

/** Checks a list, a shape, or a function with its attributes. */
export function checkAttributeBytes(bytes: number): void {
  checkCount(bytes, most.attributeBytes, 'bytes in an attribute that is no constant');
}

export function checkSignatureBytes(bytes: number): void {
  checkCount(bytes, most.signatureBytes, 'bytes in the signature of a function');
}

export function checkArguments(count: number): void {
  checkCount(count, most.arguments, 'arguments or results of a function');
}

/** Checks the number of different operations in a graph or a function. */
export function checkOperations(count: number): void {
  checkCount(count, most.operations, 'kinds of operations');
}

export function checkFunctions(count: number): void {
  checkCount(count, most.functions, 'functions of a graph');
}
