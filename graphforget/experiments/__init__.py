"""Experiments: comparisons and published tables, carried out over seeds, methods and gold models, and resumable.

One comparison is a `plan` that `single` carries out. A grid of them (`grid`, `published`) becomes units of work
(`units`) that `farm` carries out, in processes that share a store, one by one (`runner`), into folders (`run_folder`).
Their numbers are read as lines (`results`) and shown as tables (`tables`, `comparison`, `render`).
"""
