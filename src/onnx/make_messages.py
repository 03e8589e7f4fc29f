"""Runs protoc-c on ONNX's schema under the one name that write.c includes. Usage: make_messages.py PROTOC SCHEMA OUT_FOLDER."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

protoc, schema, out = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    shutil.copy(schema, pathlib.Path(folder, "onnx.proto"))
    subprocess.run([protoc, f"--proto_path={folder}", f"--c_out={out}", "onnx.proto"], check=True)
