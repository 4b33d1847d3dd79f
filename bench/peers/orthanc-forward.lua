-- Anonymize and forward, as a peer for bench/end-to-end.ts: what arrives over DICOM is anonymized (Orthanc's profile of
-- PS3.15), sent to the modality "sink" and deleted. No image is made of it. Through the REST API of Lua, at once for
-- each instance.
function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin['RequestOrigin'] ~= 'DicomProtocol' then return end
  local anonymous = RestApiPost('/instances/' .. instanceId .. '/anonymize', '{}')
  RestApiPost('/modalities/sink/store-straight', anonymous)
  RestApiDelete('/instances/' .. instanceId)
end
