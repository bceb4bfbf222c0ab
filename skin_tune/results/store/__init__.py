"""The Parquet results store: its tables, and who may write them."""
