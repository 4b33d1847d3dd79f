"""The first seed's pipeline, step by step as its public program takes them, as a peer for bench/end-to-end.ts. One DICOM
file per POST: it is read and its whole header logged, three attributes are replaced and the header logged again; the
original bytes are read a second time, their pixels divided by the maximum (float64) and saved as JPEG (Pillow's default
quality); for the sending they are read a third time and normalised again, to no use, the JPEG goes as base64 into a
payload whose JSON text is serialised a second time, over a connection of its own. No DICOM network, no durability, no
verification. What it sends is a JSON string, which a backend that validates refuses: its sink must take anything.
Usage: seed-pipeline.py PORT BACKEND_URL"""
import base64
import io
import json
import logging
import sys
import uuid

import numpy
import pydicom
import requests
from flask import Flask, jsonify, request
from PIL import Image

logging.basicConfig(level=logging.INFO)
log = logging.getLogger(__name__)
app = Flask(__name__)
upload_url = sys.argv[2] + "/v1/images/upload"


def read(body):
    return pydicom.dcmread(io.BytesIO(body), force=True)


def picture(ds):
    pixels = ds.pixel_array
    return Image.fromarray((pixels / pixels.max() * 255).astype(numpy.uint8))


def anonymise(body):
    ds = read(body)
    log.info("received\n%s", str(ds))
    for keyword in ("PatientName", "PatientID", "PatientBirthDate"):
        if keyword in ds:
            setattr(ds, keyword, "Anonymous")
    log.info("anonymised\n%s", str(ds))


def convert(body):
    ds = read(body)
    image = picture(ds)
    print("height", ds.Rows, "width", ds.Columns)
    jpeg = io.BytesIO()
    image.save(jpeg, format="JPEG")
    return jpeg.getvalue()


def transmit(body, jpeg):
    ds = read(body)
    picture(ds)  # made and not used
    payload = {
        "study": {
            "studyInstanceUid": str(ds.StudyInstanceUID),
            "accessionNumber": str(ds.get("AccessionNumber", "")),
            "patientId": str(ds.PatientID),
        },
        "series": {"seriesInstanceUid": str(ds.SeriesInstanceUID)},
        "images": [{
            "imageInstanceUid": str(uuid.uuid4()),
            "sopClassUid": str(ds.SOPClassUID),
            "height": int(ds.Rows),
            "width": int(ds.Columns),
            "rescaleSlope": float(ds.get("RescaleSlope", 1)),
            "rescaleIntercept": float(ds.get("RescaleIntercept", 0)),
            "photometricInterpretation": str(ds.PhotometricInterpretation),
            "bitsAllocated": int(ds.BitsAllocated),
            "bitsStored": int(ds.BitsStored),
            "highBit": int(ds.HighBit),
            "data": base64.b64encode(jpeg).decode("ascii"),
        }],
    }
    text = json.dumps(payload)
    answer = requests.post(upload_url, json=text)
    print("sent" if answer.status_code == 200 else "failed", answer.status_code)


@app.route("/receive_dicom", methods=["POST"])
def receive():
    body = request.get_data()
    anonymise(body)
    transmit(body, convert(body))
    return jsonify({"message": "received"}), 200


app.run(host="127.0.0.1", port=int(sys.argv[1]))
