"""Metadata lives in setup.cfg; this stub serves tools that still look for setup.py."""

from setuptools import setup

setup()
