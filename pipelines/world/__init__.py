"""The demo world: short videos of a jointed figure acting on things, with their ground truth.

A clip is `actions` (who does what with which thing) seen through `stage` (scene, camera, light),
rasterised by `render`, encoded by `film` and described by `truth`. Lengths are in figure heights:
the figure is 1 tall, the ground is y = 0, y points up and x to where the figure faces.
"""
