"""The structures of the compiled kernel, as ``fairbench/kernel/source`` declares them."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, c_double, c_int32, c_int64, c_void_p
from typing import ClassVar

from fairbench.train.reading import Kind

__all__ = [
    "KINDS",
    "MOST_TASKS",
    "OF_TASKS",
    "OPTIMIZERS",
    "TASKS",
    "Dropout",
    "Layer",
    "Network",
    "Optimizer",
    "Run",
    "Task",
    "Weighting",
]

KINDS: Sequence[Kind] = ("linear", "norm", "relu", "tanh", "sigmoid", "mask")
TASKS = ("regression", "binary", "categorical")
OPTIMIZERS = ("adam", "adamw", "sgd")
MOST_TASKS = 64
OF_TASKS = 4
"""Parameters, gradients and two moments lie before the tasks' gradients in a trial's numbers."""


class Layer(ctypes.Structure):
    _fields_: ClassVar = [
        ("kind", c_int32),
        ("biased", c_int32),
        ("width_in", c_int64),
        ("width_out", c_int64),
        ("weight", c_int64),
        ("bias", c_int64),
        ("eps", c_double),
        ("momentum", c_double),
        ("mean", c_void_p),
        ("variance", c_void_p),
        ("mask", c_int64),
    ]


class Dropout(ctypes.Structure):
    _fields_: ClassVar = [
        ("start", c_int64),
        ("width", c_int64),
        ("threshold", c_int32),
        ("scale", c_double),
    ]


class Task(ctypes.Structure):
    _fields_: ClassVar = [("kind", c_int32), ("start", c_int32), ("width", c_int32)]


class Network(ctypes.Structure):
    _fields_: ClassVar = [
        ("single", c_int32),
        ("features", c_int64),
        ("hidden", c_int64),
        ("outputs", c_int64),
        ("tasks", c_int64),
        ("layers", c_int64),
        ("rows", c_int64),
        ("parameters", c_int64),
        ("trunk", c_int64),
        ("head_weight", c_int64),
        ("head_bias", c_int64),
        ("masks", c_int64),
        ("ahead", c_int64),
        ("draws", c_int64),
        ("layer", POINTER(Layer)),
        ("task", POINTER(Task)),
        ("dropout", POINTER(Dropout)),
    ]


class Optimizer(ctypes.Structure):
    _fields_: ClassVar = [
        ("kind", c_int32),
        ("beta1", c_double),
        ("beta2", c_double),
        ("eps", c_double),
        ("decay", c_double),
        ("momentum", c_double),
        ("clip", c_double),
    ]


class Weighting(ctypes.Structure):
    _fields_: ClassVar = [
        ("rule", c_void_p),
        ("by_gramian", c_int32),
        ("weighs_trunk", c_int32),
        ("state_size", c_int64),
        ("state", c_void_p),
        ("tradeoff", c_void_p),
        ("noise", c_void_p),
        ("noise_step", c_int64),
        ("planned", c_double),
    ]


class Run(ctypes.Structure):
    _fields_: ClassVar = [
        ("net", POINTER(Network)),
        ("optimizer", POINTER(Optimizer)),
        ("trials", c_int64),
        ("kinds", c_int64),
        ("stride", c_int64),
        ("numbers", c_void_p),
        ("space", c_void_p),
        ("common", c_void_p),
        ("features", c_void_p),
        ("table", c_void_p),
        ("table_width", c_int64),
        ("order", c_void_p),
        ("streams", c_void_p),
        ("draws", c_void_p),
        ("scales", c_void_p),
        ("rates", c_void_p),
        ("weighting", POINTER(Weighting)),
    ]
