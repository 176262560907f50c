-- Health of a Function, Source, Sink or FunctionMesh for Argo CD. docs/reference/conditions.md lists the health of each reason.
local health = { status = "Progressing", message = "waiting for the controller to see the newest spec" }
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function is(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end
if is("Stalled") then
  health.status = "Degraded"
  health.message = conditions.Stalled.reason .. ": " .. conditions.Stalled.message
elseif is("Ready") then
  health.status = "Healthy"
  health.message = conditions.Ready.message
elseif conditions.Ready ~= nil then
  health.message = conditions.Ready.reason .. ": " .. conditions.Ready.message
end
return health
