"""Configs of experiments, one file a method: `get_config()` returns an ml_collections ConfigDict.

`CHOICES` names the data sets of a method and their presets, of which the first is the default. What
the methods of one paper share is in a module that begins with an underscore. All of them import
light modules alone: programs run them to tell data sets and presets, before TensorFlow is loaded.
"""
