/**
 * Lists wheels of PyPI that have operations which TensorFlow lacks. The names are those that the libraries in the
 * wheels register.
 */

/** The libraries in one folder of a wheel. */
export interface Wheel {
  /** The name on PyPI. */
  readonly name: string;
  /** The folder with the libraries, relative to where the wheel is installed. */
  readonly folder: string;
  readonly operations: ReadonlySet<string>;
}

function wheel(name: string, folder: string, operations: string): Wheel {
  return { name, folder, operations: new Set(operations.trim().split(/\s+/)) };
}

export const wheels: readonly Wheel[] = [
  wheel(
    'tensorflow-text',
    'tensorflow_text/python/ops',
    `CaseFoldUTF8 ConstrainedSequence FastBertNormalize FastWordpieceTokenizeWithOffsets FindSourceOffsets MaxSpanningTree
    NormalizeUTF8 NormalizeUTF8WithOffsetsMap PhraseTokenize RegexSplitWithOffsets SentenceFragments SentenceFragmentsV2
    SentencepieceDetokenizeOp SentencepieceIdToStringOp SentencepieceOp SentencepieceStringToIdOp SentencepieceTokenizeOp
    SentencepieceTokenizeWithOffsetsOp SentencepieceVocabSizeOp SplitMergeTokenizeWithOffsets TFText>BoiseTagsToOffsets
    TFText>ByteSplitByOffsets TFText>ByteSplitWithOffsets TFText>FastSentencepieceDetokenize
    TFText>FastSentencepieceTokenize TFText>FastWordpieceDetokenize TFText>NgramsStringJoin TFText>OffsetsToBoiseTags
    TFText>PhraseDetokenize TFText>RoundRobinGenerateMasks TFText>RoundRobinTrim TFText>Utf8Binarize
    TFText>WhitespaceTokenizeWithOffsetsV2 TokenizerFromLogits UnicodeScriptTokenizeWithOffsets
    WhitespaceTokenizeWithOffsets WordpieceTokenizeWithOffsets`,
  ),
  wheel('tensorflow-text', 'tensorflow_text/python/metrics', 'RougeL'),
  wheel(
    'ydf-tf',
    'ydf_tf',
    `SimpleMLCreateModelResource SimpleMLInferenceLeafIndexOpWithHandle SimpleMLInferenceOp SimpleMLInferenceOpWithHandle
    SimpleMLLoadModelFromPath SimpleMLLoadModelFromPathWithHandle`,
  ),
];

/** The folder into which the suggested commands install wheels. */
const target = 'op-libraries';

/**
 * Says which wheels have some unknown operations, and what to do.
 *
 * @param operations are names
 * @param tensorflowVersion is for example `2.21.0`; the wheels must be for the same minor version
 */
export function explainUnknownOperations(operations: readonly string[], tensorflowVersion: string): string {
  const needed = wheels.filter((wheel) => operations.some((name) => wheel.operations.has(name)));
  const parts = needed.map((wheel) => {
    const names = operations.filter((name) => wheel.operations.has(name));
    return `${names.join(', ')} (in the wheel ${wheel.name})`;
  });
  const others = operations.filter((name) => !needed.some((wheel) => wheel.operations.has(name)));
  if (others.length > 0) parts.push(`${others.join(', ')} (in no wheel that is known here)`);
  return `TensorFlow ${tensorflowVersion} does not know ${parts.join(', ')}; ${howToHave(needed, others, tensorflowVersion)}`;
}

function howToHave(needed: readonly Wheel[], others: readonly string[], tensorflowVersion: string): string {
  const [major, minor] = tensorflowVersion.split('.');
  const names = new Set(needed.map(({ name }) => `'${name}==${major}.${minor}.*'`));
  const libraries = needed.map(({ folder }) => `${target}/${folder}`);
  if (others.length > 0) libraries.push('FILE');
  const install =
    names.size > 0 ? `run \`pip install --no-deps --target ${target} ${[...names].join(' ')}\` and ` : '';
  const serve = `serve with \`--op-library ${libraries.join(',')}\``;
  const file = others.length > 0 ? `, where FILE is the library that has ${others.join(', ')}` : '';
  return `to have them, ${install}${serve}${file}`;
}
