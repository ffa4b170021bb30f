"""What the code of an autoencoder is worth to a linear classifier."""

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments.data import Split

CODE = "code"  # the layer of the recipes
_MAX_ITER = 500


def code_accuracy(model: keras.Model, data: Split) -> float:
    """Test accuracy of logistic regression on the code, trained on the images of the set."""
    encoder = keras.Model(model.inputs, model.get_layer(CODE).output)
    codes = (
        encoder.predict(x, batch_size=1000, verbose=0).reshape(len(x), -1).astype(np.float64)
        for x in (data.x_train, data.x_test)
    )
    train, test = codes
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_MAX_ITER))
    return float(classifier.fit(train, data.y_train).score(test, data.y_test))
