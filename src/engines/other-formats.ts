/**
 * Recognises files of models that are no SavedModels by their names, and knows the line of Python that makes a
 * SavedModel of each.
 */

interface OtherFormat {
  /** The pattern of the file's name. */
  readonly name: RegExp;
  /** The format in words, with its article. */
  readonly what: string;
  /** Says what to do. Both paths are literals of Python. */
  readonly advice: (file: string, target: string) => string;
}

function line(python: string): string {
  return `export it with this line of Python: ${python}`;
}

/** The formats. The first that fits is meant. */
const otherFormats: readonly OtherFormat[] = [
  {
    name: /\.weights\.h5$/i,
    what: 'a file of Keras weights, without the model',
    advice: (file, target) =>
      `load it in the program that makes the model, then export that: model.load_weights(${file}); model.export(${target})`,
  },
  {
    name: /\.(keras|h5|hdf5)$/i,
    what: 'a Keras model',
    advice: (file, target) =>
      line(`import keras; keras.saving.load_model(${file}, compile=False).export(${target})`),
  },
  {
    name: /\.tflite$/i,
    what: 'a TensorFlow Lite model, which cannot be turned back into a SavedModel',
    advice: (_, target) =>
      `in the program that made it, export the model itself: model.export(${target}), or for other than Keras ` +
      `tf.saved_model.save(model, ${target})`,
  },
  {
    name: /\.onnx$/i,
    what: 'an ONNX model',
    advice: (file, target) =>
      `install onnx2tf and ${line(`import onnx2tf; onnx2tf.convert(${file}, ${target}, output_signaturedefs=True)`)}`,
  },
  {
    name: /\.(pt|pth)$/i,
    what: 'a PyTorch model',
    advice: (_, target) =>
      `in the program that made it, call torch.onnx.export(model, inputs, "model.onnx"); then install onnx2tf and ` +
      line(`import onnx2tf; onnx2tf.convert("model.onnx", ${target}, output_signaturedefs=True)`),
  },
  {
    name: /\.(pkl|pickle|joblib)$/i,
    what: 'a Python pickle, which this server never loads, since loading one runs code',
    advice: (_, target) =>
      `in the program that made it, write the model in TensorFlow, and tf.saved_model.save(model, ${target})`,
  },
  {
    name: /^(?!(saved_model|fingerprint|keras_metadata)\.pb$).*\.pb$/i,
    what: 'a graph without a SavedModel around it (frozen)',
    advice: (file, target) =>
      `${line(
        `import tensorflow as tf; g = tf.compat.v1.GraphDef.FromString(open(${file}, "rb").read()); ` +
          `f = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(g, name=""), []); ` +
          `tf.saved_model.save(tf.Module(), ${target}, f.prune({"x": "x:0"}, {"y": "y:0"}))`,
      )}; put the names of its own inputs and outputs for x:0 and y:0`,
  },
];

/**
 * Says what a file is and how to make a SavedModel of it; undefined if its name is not that of a model.
 *
 * @param file is its path
 * @param targetOf finds the folder that the SavedModel should go to
 */
export function adviceOnFormat(
  file: string,
  targetOf: () => string,
): { what: string; advice: string } | undefined {
  const name = file.slice(file.lastIndexOf('/') + 1);
  const format = otherFormats.find((each) => each.name.test(name));
  // A JSON text is also a text of Python.
  return (
    format && { what: format.what, advice: format.advice(JSON.stringify(file), JSON.stringify(targetOf())) }
  );
}
