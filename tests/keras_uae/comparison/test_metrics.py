"""Metrics against scikit-learn on what a model is known to return."""

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import keras_uae as uae
from keras_uae import comparison
from keras_uae.comparison.metrics import as_metrics, codes, default_metric

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 6)).astype("float32")
Y = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(int)


@pytest.fixture(scope="module")
def autoencoder():
    inputs = keras.Input((6,))
    code = keras.layers.Dense(2, name="code")(keras.layers.Dense(4, name="wide")(inputs))
    return keras.Model(inputs, keras.layers.Dense(6)(code))


def test_codes_are_those_of_the_narrowest_layer_or_of_the_one_named(autoencoder):
    encoder = keras.Model(autoencoder.input, autoencoder.get_layer("code").output)
    np.testing.assert_allclose(codes(autoencoder, X), encoder(X), rtol=1e-5)
    assert codes(autoencoder, X, "wide").shape == (120, 4)
    with pytest.raises(ValueError, match=r"one of .*'code'.*Received: layer='nowhere'"):
        codes(autoencoder, X, "nowhere")


def test_codes_of_a_model_that_is_a_class():
    class Nested(keras.Model):
        def __init__(self):
            super().__init__()
            self.decode, self.encode = keras.layers.Dense(6), keras.layers.Dense(2)

        def call(self, x):
            return self.decode(self.encode(x))

    model = Nested()
    model(X)
    np.testing.assert_allclose(codes(model, X), model.encode(X), rtol=1e-5)


def test_codes_of_a_layer_that_meets_a_prototype_first():
    class Prototypes(keras.Model):
        def __init__(self):
            super().__init__()
            self.encode, self.decode = keras.layers.Dense(2), keras.layers.Dense(6)
            self.prototypes = self.add_weight(shape=(len(X), 6))

        def call(self, x):
            known = keras.ops.mean(self.encode(self.prototypes), axis=0)
            return self.decode(self.encode(x) - known)

    model = Prototypes()
    model(X)
    np.testing.assert_allclose(codes(model, X), model.encode(X), rtol=1e-5)


def test_the_linear_probe_is_logistic_regression_on_the_code(autoencoder):
    train, test = codes(autoencoder, X[:80]), codes(autoencoder, X[80:])
    known = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(train, Y[:80])
    metric = comparison.linear_probe(X[:80], Y[:80])
    assert metric(autoencoder, X[80:], Y[80:]) == known.score(test, Y[80:])
    assert metric.better == "higher"


def test_neighbors_of_a_code_that_keeps_all(autoencoder):
    metric = comparison.nearest_neighbors(X, Y, layer="wide")
    assert metric(autoencoder, X, Y) == 1  # its own nearest neighbour


def test_auroc_of_the_reconstruction_error(autoencoder):
    outliers = 5 * X[:40]
    errors = [np.linalg.norm(autoencoder(each) - each, axis=1) for each in (X, outliers)]
    known = roc_auc_score([0] * 120 + [1] * 40, np.concatenate(errors))
    assert comparison.outlier_auroc(outliers)(autoencoder, X) == pytest.approx(known)
    with pytest.raises(ValueError, match=r"`outliers`.*\(6,\).*Received.*\(3,\)"):
        comparison.outlier_auroc(X[:, :3])(autoencoder, X)
    # outputs that NumPy would broadcast, or mix
    auroc, outputs = comparison.outlier_auroc(outliers), autoencoder.outputs[0]
    for wrong in ([outputs, 2 * outputs], outputs[:, :1]):
        with pytest.raises(ValueError, match=r"`model` of outlier_auroc must give back the shape"):
            auroc(keras.Model(autoencoder.input, wrong), X)
    two = keras.Model(autoencoder.input, [outputs, 2 * outputs])
    assert auroc(lambda x: two(x)[0], X) == pytest.approx(known)


def test_the_default_is_the_reconstruction_error_and_with_labels_the_loss(autoencoder):
    autoencoder.compile("sgd", "mse")
    metric = default_metric(autoencoder, X, None)
    assert metric(autoencoder, X) == pytest.approx(uae.reconstruction_error(autoencoder, X))
    loss = default_metric(autoencoder, X, X)
    assert loss.name == "loss"
    assert loss(autoencoder, X, X) == pytest.approx(metric(autoencoder, X), rel=1e-5)
    classifier = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"`metrics` of compare.*outputs of shape \(2,\)"):
        default_metric(classifier, X, None)


def test_differences_are_ratios_of_errors_and_plain_of_accuracies():
    error = comparison.Metric(lambda *_: 0.0, "error")
    accuracy = comparison.Metric(lambda *_: 0.0, "accuracy", "higher")
    np.testing.assert_allclose(error.gains([0.9, 1.1], [1.0, 1.0]), [0.1, -0.1])
    np.testing.assert_allclose(error.gains([-2.0], [-1.0]), [1.0])  # a loss below 0
    np.testing.assert_allclose(accuracy.gains([0.9], [0.8]), [0.1])
    assert (error.heading, accuracy.heading) == ("error ↓", "accuracy ↑")


def test_what_stands_for_metrics():
    def size(model, x, y):
        return 1.0

    assert [each.name for each in as_metrics(size)] == ["size"]
    found = as_metrics({"a": size, "b": comparison.Metric(size, better="higher")})
    assert [(each.name, each.better) for each in found] == [("a", "lower"), ("b", "higher")]
    with pytest.raises(ValueError, match=r"of different names.*\['size', 'size'\]"):
        as_metrics([size, size])
    with pytest.raises(ValueError, match=r"`function` of Metric.*Received: function=3"):
        as_metrics([3])
    with pytest.raises(ValueError, match=r"`better` of Metric.*Received: better='more'"):
        comparison.Metric(size, better="more")


def test_figures_that_are_not_finite_are_nan_and_no_numbers_are_refused(autoencoder):
    assert np.isnan(comparison.Metric(lambda *_: np.inf, "a")(autoencoder, X))
    with pytest.raises(ValueError, match=r"return a number each.*'a'.*None"):
        comparison.Metric(lambda *_: None, "a")(autoencoder, X)
