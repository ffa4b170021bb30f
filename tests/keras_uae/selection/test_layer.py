import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_uae as uae
import models
from keras_uae.selection.layer import concrete_weights

D, K = 12, 3
DATA = np.random.default_rng(0).random((40, D), dtype=np.float32)


def network(dtype="float32", **settings):
    """Select and restore, without dropout: what Keras saves is then all of its state."""
    settings = {"seed": 1, **settings}
    model = keras.Sequential(
        [
            keras.Input((D,), dtype=keras.DTypePolicy(dtype).variable_dtype),
            uae.ConcreteSelect(K, name="select", dtype=dtype, **settings),
            layers.Dense(D, kernel_initializer=keras.initializers.GlorotUniform(2), dtype=dtype),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.optimizer.build(model.trainable_variables)  # or `fit` would trace a step twice
    return model


def fit(model, epochs, callbacks=(), **settings):
    """Five steps an epoch, always the same ones."""
    return model.fit(
        DATA,
        DATA,
        batch_size=8,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
        **settings,
    )


def state(model):
    return [weight.numpy() for weight in model.weights]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("temperature", [10.0, 1.0, 0.1])
def test_weights_are_the_softmax_of_noisy_logits(temperature):
    rng = np.random.default_rng(0)
    logits, uniform = rng.normal(size=(K, D)), rng.uniform(0.001, 0.999, (K, D))
    expected = softmax((logits - np.log(-np.log(uniform))) / temperature)
    np.testing.assert_allclose(concrete_weights(logits, uniform, temperature), expected, rtol=1e-9)


def test_the_gumbel_argmax_follows_the_probabilities():
    logits = np.log([0.1, 0.2, 0.7]).astype("float32")
    uniform = tf.random.stateless_uniform((20000, 3), (0, 0))
    weights = concrete_weights(tf.tile(logits[None], (20000, 1)), uniform, 0.1, "straight_through")
    np.testing.assert_allclose(np.mean(weights, axis=0), [0.1, 0.2, 0.7], atol=0.01)


def test_straight_through_is_one_hot_with_the_gradient_of_the_softmax():
    rng = np.random.default_rng(0)
    logits = tf.constant(rng.normal(size=(50, D)), tf.float32)
    uniform = tf.constant(rng.uniform(0.001, 0.999, (50, D)), tf.float32)
    cost = tf.constant(rng.normal(size=(50, D)), tf.float32)
    results = {}
    for name in ("gumbel_softmax", "straight_through"):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            weights = concrete_weights(logits, uniform, 0.7, name)
            total = tf.reduce_sum(cost * weights)
        results[name] = weights.numpy(), tape.gradient(total, logits).numpy()
    (soft, soft_gradient), (hard, hard_gradient) = results.values()
    assert_same([hard], [np.eye(D, dtype="float32")[soft.argmax(axis=1)]])
    np.testing.assert_allclose(hard_gradient, soft_gradient, atol=1e-6)


def test_noise_of_every_uniform_draw_is_finite_in_gradient():
    layer = uae.ConcreteSelect(2)
    layer.build((None, 3))
    least = tf.constant([[1e-37, 1 - 2**-24, 0.5], [1e-37, 1e-37, 1e-37]])
    with tf.GradientTape() as tape:
        weights = concrete_weights(layer.unit_logits.value, least, 0.1)
        total = tf.reduce_sum(weights**2)
    assert np.isfinite(weights).all()
    assert np.isfinite(tape.gradient(total, layer.unit_logits.value)).all()


def test_inference_gathers_the_columns_of_the_greatest_logits():
    model = network()
    select = model.get_layer("select")
    logits = np.zeros((K, D))
    logits[[0, 1, 2], [5, 0, 5]] = 1
    select.assign_logits(logits)
    assert select.indices().numpy().tolist() == [5, 0, 5]
    assert_same([select(DATA)], [DATA[:, [5, 0, 5]]])
    assert_same([select(DATA, training=False)], [select(DATA)])


def test_training_mixes_the_features_by_the_published_formula():
    select = uae.ConcreteSelect(K, start_temperature=2.0, seed=3)
    mixed = select(DATA, training=True)
    key = (3, 1)  # seed and step
    uniform = tf.random.stateless_uniform((K, D), key, minval=1e-37)
    weights = softmax((select.logits.numpy() - np.log(-np.log(uniform))) / 2)
    np.testing.assert_allclose(mixed, DATA @ weights.T, rtol=1e-5)
    assert (select(DATA, training=True).numpy() != mixed.numpy()).any()  # the next step


def test_a_multiplier_changes_the_steps_of_the_logits_alone():
    moved = {}
    for multiplier in (1, 30):
        select = uae.ConcreteSelect(K, logits_multiplier=multiplier, seed=3)
        mixed = select(DATA, training=True).numpy()
        start = select.logits.numpy()
        optimizer = keras.optimizers.Adam(0.01)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(select.logits * np.arange(1, D + 1))
        optimizer.apply_gradients([(tape.gradient(loss, select.unit_logits), select.unit_logits)])
        moved[multiplier] = start, mixed, select.logits.numpy() - start
    for one, thirty in zip(moved[1][:2], moved[30][:2], strict=True):
        np.testing.assert_allclose(one, thirty, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(moved[1][2], -0.01, rtol=1e-3)
    np.testing.assert_allclose(moved[30][2], -0.3, rtol=1e-3)


def test_logits_that_are_assigned_are_the_logits():
    select = uae.ConcreteSelect(K, logits_multiplier=7)
    select.build((None, D))
    logits = np.random.default_rng(0).normal(size=(K, D)).astype("float32")
    select.assign_logits(logits)
    np.testing.assert_allclose(select.logits, logits, rtol=1e-6)
    np.testing.assert_allclose(select.probabilities(), softmax(logits), rtol=1e-5)


def test_the_temperature_falls_exponentially_to_the_minimum():
    select = uae.ConcreteSelect(K, start_temperature=8.0, min_temperature=0.5, anneal_steps=4)
    select.build((None, D))
    assert float(select.temperature) == 8
    seen = []
    for _ in range(6):
        select(DATA, training=True)
        seen.append(float(select.temperature))
    np.testing.assert_allclose(seen, [4, 2, 1, 0.5, 0.5, 0.5], rtol=1e-6)
    assert seen[3] == 0.5
    assert int(select.step) == 6


def test_without_a_plan_the_temperature_stays_as_assigned():
    select = uae.ConcreteSelect(K)
    select(DATA, training=True)
    assert float(select.temperature) == 10
    select.temperature.assign(3.0)
    select(DATA, training=True)
    assert float(select.temperature) == 3


@pytest.mark.parametrize("steps_per_execution", [1, 5])
def test_fit_ends_at_the_minimum(steps_per_execution):
    model = network()
    model.compile("adam", "mse", steps_per_execution=steps_per_execution)
    fit(model, 3, [uae.AnnealTemperature()])
    select = model.get_layer("select")
    assert int(select.step) == 15
    assert float(select.temperature) == np.float32(0.1)


def test_only_training_moves_temperature_noise_and_logits():
    model = network()
    fit(model, 2, [uae.AnnealTemperature(epochs=4)])
    before = state(model)
    assert float(model.get_layer("select").temperature) == pytest.approx(1.0)  # half of the way
    model.evaluate(DATA, DATA, verbose=0)
    model.predict(DATA, verbose=0)
    model(DATA)
    assert_same(before, state(model))
    other = network()
    validated = {"validation_data": (DATA, DATA), "validation_batch_size": 4}
    fit(other, 2, [uae.AnnealTemperature(epochs=4)], **validated)
    assert_same(before, state(other))


def test_the_training_step_is_traced_once(traced):
    model = network()
    fit(model, 3, [uae.AnnealTemperature()])
    fit(model, 5, [uae.AnnealTemperature()])  # another plan
    assert traced == ["select"]


def test_a_run_that_is_saved_and_resumed_is_the_uninterrupted_run(tmp_path):
    whole = network()
    fit(whole, 4, [uae.AnnealTemperature()])
    model = network()
    fit(model, 2, [uae.AnnealTemperature(epochs=4)])
    path = tmp_path / "half.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    assert_same(state(model), state(loaded))
    assert_same([model(DATA)], [loaded(DATA)])
    # by `initial_epoch`, and by what the layer itself remembers
    again = keras.models.load_model(path)
    fit(loaded, 4, [uae.AnnealTemperature()], initial_epoch=2)
    fit(again, 2)
    assert_same(state(whole), state(loaded))
    assert_same(state(whole), state(again))


def test_weights_alone_restore_temperature_and_step(tmp_path):
    model, other = network(), network(seed=5)
    for each in (model, other):
        fit(each, 2, [uae.AnnealTemperature()])
    model.save_weights(tmp_path / "it.weights.h5")
    other.load_weights(tmp_path / "it.weights.h5")
    assert_same(state(model), state(other))


def test_the_layer_comes_back_from_json():
    layer = uae.ConcreteSelect(
        4,
        start_temperature=5.0,
        min_temperature=0.2,
        anneal_steps=7,
        gradient_estimator="straight_through",
        logits_initializer=keras.initializers.RandomNormal(stddev=0.5, seed=3),
        seed=2,
        name="picked",
    )
    config = json.loads(json.dumps(layer.get_config()))
    clone = uae.ConcreteSelect.from_config(config)
    assert clone.get_config() == layer.get_config()
    assert_same([layer(DATA, training=True)], [clone(DATA, training=True)])


def test_seed_fixes_the_run_and_nothing_else_does():
    results = []
    for seed, noise in ((1, 10), (1, 20), (2, 10)):
        keras.utils.set_random_seed(noise)
        select = uae.ConcreteSelect(K, seed=seed)
        results.append([select(DATA, training=True).numpy() for _ in range(3)] + state(select))
    assert_same(results[0], results[1])
    for one, other in zip(results[0][:4], results[2][:4], strict=True):
        assert (one != other).all()


def test_a_frozen_layer_selects_in_training_too():
    model = network()
    select = model.get_layer("select")
    select.trainable = False
    model.compile("adam", "mse")
    before = state(select)
    fit(model, 2)
    assert_same(before, state(select))
    assert_same([select(DATA, training=True)], [DATA[:, select.indices().numpy()]])


@pytest.mark.parametrize("dtype", ["float64", "mixed_float16"])
def test_other_precisions(dtype):
    model = network(dtype)
    policy = keras.DTypePolicy(dtype)
    fit(model, 2, [uae.AnnealTemperature()])
    select = model.get_layer("select")
    assert select.logits.dtype == policy.variable_dtype
    assert select(DATA, training=True).dtype == policy.compute_dtype
    assert np.isfinite(select.logits.numpy()).all()
    assert float(select.temperature) == pytest.approx(0.1)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_integers_are_mixed_as_the_numbers_that_they_are(dtype):
    data = (DATA * 3).astype(dtype)
    mixed = uae.ConcreteSelect(K, seed=3)(data, training=True).numpy()
    select = uae.ConcreteSelect(K, seed=3)
    assert_same([mixed], [select(data.astype("float32"), training=True)])
    assert (np.abs(mixed).max(axis=0) > 0).all()
    assert select(data).dtype == "float32"
    assert_same([select(data)], [data[:, select.indices().numpy()]])


def test_the_plan_needs_the_number_of_steps():
    data = tf.data.Dataset.from_generator(
        lambda: iter([(DATA, DATA)] * 2),
        output_signature=(tf.TensorSpec((None, D)), tf.TensorSpec((None, D))),
    )
    settings = {"epochs": 1, "steps_per_epoch": None, "verbose": 0, "shuffle": False}
    with pytest.raises(ValueError, match="`steps_per_epoch` of AnnealTemperature must be given"):
        network().fit(data, callbacks=[uae.AnnealTemperature()], **settings)
    model = network()
    with pytest.warns(UserWarning, match="ran out of data"):  # the first epoch finds the length
        model.fit(data, callbacks=[uae.AnnealTemperature(steps_per_epoch=2)], **settings)
    assert float(model.get_layer("select").temperature) == np.float32(0.1)


def test_training_stops_when_the_units_have_settled():
    model = network()
    select = model.get_layer("select")
    select.assign_logits(20 * np.eye(K, D))
    assert float(select.mean_max_probability()) > 0.998
    history = fit(model, 5, [uae.StopWhenSelected()]).history
    assert len(history["loss"]) == 1
    assert history["mean_max_probability"][0] > 0.998
    stop = uae.StopWhenSelected(stop=False)
    assert len(fit(model, 3, [stop]).history["mean_max_probability"]) == 3
    assert stop.value > 0.998


def test_a_layer_within_a_nested_model_is_found():
    inner = network()
    inputs = keras.Input((D,))
    model = keras.Model(inputs, inner(inputs))
    model.compile("adam", "mse")
    fit(model, 1, [uae.AnnealTemperature(), uae.StopWhenSelected()])
    assert float(inner.get_layer("select").temperature) == np.float32(0.1)


def test_a_model_that_its_first_step_builds_is_annealed_too():
    model = keras.Sequential([uae.ConcreteSelect(K, name="select", seed=1), layers.Dense(D)])
    model.compile("adam", "mse")
    fit(model, 3, [uae.AnnealTemperature(), uae.StopWhenSelected()], initial_epoch=1)
    select = model.get_layer("select")
    assert int(select.step) == 15
    assert float(select.temperature) == np.float32(0.1)


@pytest.mark.parametrize("callback", [uae.AnnealTemperature, uae.StopWhenSelected])
def test_callbacks_refuse_a_model_without_such_a_layer(callback):
    model = keras.Sequential([keras.Input((D,)), layers.Dense(D)])
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match=f"`model` of {callback.__name__} must have a Concrete"):
        fit(model, 1, [callback()])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: uae.ConcreteSelect(0), "`features` of ConcreteSelect"),
        (lambda: uae.ConcreteSelect(2, start_temperature=0), "`start_temperature` of Concrete"),
        (lambda: uae.ConcreteSelect(2, min_temperature=11), "`min_temperature` of ConcreteSelect"),
        (lambda: uae.ConcreteSelect(2, anneal_steps=0), "`anneal_steps` of ConcreteSelect"),
        (lambda: uae.ConcreteSelect(2, gradient_estimator="gumbel"), "Did you mean 'gumbel_soft"),
        (lambda: uae.ConcreteSelect(2, seed=None), "`seed` of ConcreteSelect"),
        (lambda: uae.ConcreteSelect(4).build((None, 3)), "`features` .* at most .* features=4"),
        (lambda: uae.AnnealTemperature(epochs=0), "`epochs` of AnnealTemperature"),
        (lambda: uae.StopWhenSelected(1.1), "`probability` of StopWhenSelected"),
        (lambda: models.concrete_autoencoder((8,), 2, decoder="cae"), "`decoder` .* 'cae_paper'"),
        (lambda: models.concrete_autoencoder((8, 0), 2), "`input_shape` of concrete_autoencoder"),
        (lambda: models.concrete_autoencoder((8,), 2, seed=-1), "`seed` of concrete_network"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def test_the_published_autoencoder_has_the_published_layers():
    model = models.concrete_autoencoder((28, 28, 1), 50)
    assert model.output_shape == (None, 28, 28, 1)
    decoder = model.get_layer("decoder")
    assert kinds(decoder) == ["InputLayer", *2 * ["Dense", "LeakyReLU", "Dropout"], "Dense"]
    assert {layer.rate for layer in decoder.layers if isinstance(layer, layers.Dropout)} == {0.1}
    sizes = 50 * 320 + 320 + 320 * 320 + 320 + 320 * 784 + 784
    assert decoder.count_params() == sizes
    assert model.get_layer("select").logits.shape == (50, 784)
    assert np.isfinite(model(np.zeros((2, 28, 28, 1)))).all()


def test_the_autoencoder_of_balin_et_al_has_one_hidden_layer():
    model = models.concrete_autoencoder((617,), 50, decoder="cae_paper", min_temperature=0.01)
    decoder = model.get_layer("decoder")
    assert kinds(decoder) == ["InputLayer", "Dense", "LeakyReLU", "Dropout", "Dense"]
    assert decoder.layers[1].units == 75
    assert model.get_layer("select").min_temperature == 0.01


def test_the_seed_of_the_autoencoder_fixes_weights_noise_and_dropout(digits):
    images = digits.x_train[:32]
    results = []
    for seed, noise in ((1, 10), (1, 20), (2, 10)):
        keras.utils.set_random_seed(noise)
        model = models.concrete_autoencoder((8, 8, 1), 4, seed=seed)
        results.append(model(images, training=True).numpy())
    assert_same(results[0], results[1])
    assert (results[0] != results[2]).mean() > 0.99


def test_the_autoencoder_is_saved_with_its_state(digits, tmp_path):
    images = digits.x_train[:64]
    model = models.concrete_autoencoder((8, 8, 1), 4)
    model.compile("adam", "mse")
    anneal = uae.AnnealTemperature(epochs=2)
    model.fit(images, images, epochs=1, verbose=0, callbacks=[anneal])
    model.save(tmp_path / "it.keras")
    loaded = keras.models.load_model(tmp_path / "it.keras")
    assert_same(state(model), state(loaded))
    assert_same([model(images)], [loaded(images)])


@pytest.fixture(scope="module")
def trained(digits):
    model = models.concrete_autoencoder((8, 8, 1), 10, decoder="cae_paper")
    model.compile(keras.optimizers.Adam(0.01), "mse", steps_per_execution=12)
    callbacks = [uae.AnnealTemperature()]
    x = digits.x_train
    model.fit(x, x, batch_size=128, epochs=30, verbose=0, callbacks=callbacks)
    return model


# the closed form outweighs the criterion unless c starts high: on digits one in seven without it
@pytest.mark.parametrize(
    ("similarity", "multiplier"), [("gaussian", 10.0), ("bivariate", 0.0), ("random", 0.0)]
)
def test_the_attack_leaves_the_model_alone(digits, trained, similarity, multiplier):
    x = digits.x_test[:8]
    before = [variable.numpy() for variable in trained.variables]  # seed generators included
    outputs = trained(x).numpy()
    attack = uae.MinMaxAttack(
        trained, similarity=similarity, initial_multiplier=multiplier, steps=20
    )
    found = attack.generate(x, verbose=0)
    assert_same([found.x], [attack.generate(x, verbose=0).x])
    assert found.success.mean() >= 0.5  # 0.9 ± 0.1 over 8 seeds
    assert found.x.shape == x.shape
    errors = [np.sqrt(((x - trained(z).numpy()) ** 2).sum(axis=(1, 2, 3))) for z in (x, found.x)]
    assert (errors[1] <= errors[0] + 1e-6).all()
    assert_same(before, [variable.numpy() for variable in trained.variables])
    assert_same([outputs], [trained(x)])


def test_the_loss_of_an_input_depends_on_the_selected_features_only(digits, trained):
    x = digits.x_test[:8].reshape(8, 64)
    selected = np.unique(trained.get_layer("select").indices())
    z = tf.constant(x.reshape(8, 8, 8, 1))
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = tf.reduce_sum(trained(z) ** 2)
    gradient = tape.gradient(loss, z).numpy().reshape(8, 64)
    assert (np.flatnonzero(np.abs(gradient).sum(axis=0)) == selected).all()
    # and yet the attack moves the others: their similarity costs nothing in loss
    attack = uae.MinMaxAttack(trained, similarity="gaussian", initial_multiplier=10.0)
    found = attack.generate(z, verbose=0)
    others = np.setdiff1d(np.arange(64), selected)
    assert np.abs(found.x.reshape(8, 64) - x)[found.success][:, others].max() > 0.1


def test_the_attack_takes_tables_too():
    model = network()
    fit(model, 20, [uae.AnnealTemperature()])
    found = uae.MinMaxAttack(model, similarity="gaussian").generate(DATA, verbose=0)
    assert found.success.mean() >= 0.25  # 0.49 ± 0.07 over 12 seeds
