"""Writes native/images, the graph in which the server decodes images.

    python3 scripts/make_image_graph.py
"""

import pathlib
import shutil

import tensorflow as tf

FOLDER = pathlib.Path(__file__).parent.parent / "native" / "images"


def main() -> None:
    graph = tf.Graph()
    with graph.as_default():
        file = tf.compat.v1.placeholder(tf.string, [], name="file")
        for channels in (1, 3):
            # As Pillow and browsers decode: the exact transform, and chroma smoothed where it is enlarged.
            accurate = {"dct_method": "INTEGER_ACCURATE"}
            tf.raw_ops.DecodeJpeg(contents=file, channels=channels, **accurate, name=f"jpeg_{channels}")
        for channels in (1, 3, 4):
            tf.raw_ops.DecodePng(contents=file, channels=channels, name=f"png_{channels}")
        tf.raw_ops.DecodeGif(contents=file, name="gif_3")
        tf.raw_ops.DecodeBmp(contents=file, channels=0, name="bmp_0")
    shutil.rmtree(FOLDER, ignore_errors=True)
    with tf.compat.v1.Session(graph=graph) as session:
        builder = tf.compat.v1.saved_model.Builder(str(FOLDER))
        builder.add_meta_graph_and_variables(session, ["serve"], strip_default_attrs=True)
        builder.save()
    shutil.rmtree(FOLDER / "variables", ignore_errors=True)


main()
