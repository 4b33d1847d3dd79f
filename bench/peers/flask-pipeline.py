"""A common small pipeline as a peer for bench/end-to-end.ts: Flask takes one DICOM file per POST, pydicom reads it, name,
ID and birth date are blanked, the pixels are divided by their maximum and become a JPEG (Pillow, quality 75), which is
posted as base64 in JSON. No DICOM network, no durability, no verification. Usage: flask-pipeline.py PORT BACKEND_URL"""
import base64
import io
import json
import logging
import sys
import urllib.request

import numpy
import pydicom
from flask import Flask, request
from PIL import Image

app = Flask(__name__)
logging.getLogger("werkzeug").setLevel(logging.ERROR)
backend = sys.argv[2]


@app.post("/receive_dicom")
def receive():
    ds = pydicom.dcmread(io.BytesIO(request.get_data()), force=True)
    for keyword in ("PatientName", "PatientID", "PatientBirthDate"):
        if keyword in ds:
            setattr(ds, keyword, "")
    pixels = ds.pixel_array.astype(numpy.float64)
    grey = (numpy.maximum(pixels, 0) / max(pixels.max(), 1) * 255).astype(numpy.uint8)
    out = io.BytesIO()
    Image.fromarray(grey).save(out, format="JPEG", quality=75)
    body = json.dumps({
        "study": {"studyInstanceUid": str(ds.StudyInstanceUID), "accessionNumber": "A", "patientId": "P"},
        "series": {"seriesInstanceUid": str(ds.SeriesInstanceUID)},
        "images": [{
            "imageInstanceUid": str(ds.SOPInstanceUID), "sopClassUid": str(ds.SOPClassUID),
            "height": int(ds.Rows), "width": int(ds.Columns), "rescaleSlope": 1, "rescaleIntercept": 0,
            "photometricInterpretation": "MONOCHROME2", "samplesPerPixel": 1, "bitsAllocated": 8, "bitsStored": 8,
            "highBit": 7, "data": base64.b64encode(out.getvalue()).decode(),
        }],
    }).encode()
    sent = urllib.request.Request(f"{backend}/v1/images/upload", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(sent) as answer:
        return {"message": "ok", "backend": answer.status}


app.run(host="127.0.0.1", port=int(sys.argv[1]), threaded=True)
