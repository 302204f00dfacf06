"""Flask under gunicorn: pickled arrays in and out, as a first server of one's own looks."""

import pickle

from flask import Flask, request
from saved_model import SavedModel

app = Flask(__name__)
model = SavedModel()


@app.post("/infer")
def infer() -> bytes:
    return pickle.dumps(model.run(pickle.loads(request.get_data(cache=False))), protocol=5)
