/**
 * Words that identify nobody: those of the Standard's own attribute and concept names, and those of radiology as they
 * stand in descriptions, protocols and short histories. The option Clean Descriptors (PS3.15 §E.3.5) keeps a word only
 * when it is here; words that are also common family names are left out unless medicine cannot do without them.
 *
 * All lower case; a plural of a listed word counts as listed.
 */
import { CONCEPT_WORDS } from './concept-words.generated.ts';
import { STANDARD_WORDS } from './standard-words.generated.ts';

/** The Standard's names hold these too, but they are more often a person's name, or what stands before one. */
const NOT_FROM_THE_STANDARD = 'avenue doctor fox lane miss mister mrs road rose street walker wright';

const GENERAL = `
a about above absent accident according across added additional adequate adult after again against all almost along
also although always among an and another any appear appears appearance are area arise around as assess assessment at available
back bad badge baseline be because become been before behind being below benign best better between beyond big bilateral both
brief bright brought but by calculated call came can cannot cause caused center central centre certain change changed changes check child children
clean clear close cm co coarse cold combined come common compared comparison compatible complete completed complex concern
concerning confirmed consider consistent contact contain contains continue continued control corrected correlate correlation count course current cut
daily dark data date day days decreased deep default definite degree demo demonstrate demonstrated demonstrates dense detail detected develop did difference
different difficult direct discussed do does done doubt down due duration during each early easy effect elevated else emergency empty end enlarged
enough entire equal error especially etc evaluate evaluated evaluation even ever every evidence exam examination example excellent except
exclude excluded expected extensive extra fair far fast favor few film final find finding findings fine first fixed flat follow followed following for found free frequent
from full further general given good grade gradual great greater gross group grown had half has have having he hence her here hers high higher
him his history home hour hours how however ill image images imaging immediate impression improved in include included including increase increased increasing
indicated indicates indication inferior initial inside instead into involve involved involving is isolated it its just keep kept key kind known
lab large larger largest last late later layer lead least left length less letter level like likely limit limited line little live lives local located long
look looks lost lot low lower made main maintained major make male many mark marked markedly material may me mean measure measured measures measurement measuring
medical method middle mid mild mildly minimal minimally minimum minor minute minutes missing mixed mm mode moderate moderately modified month months more most mostly mother much
multiple must my name narrow near nearly need needed negative new next no non none nonspecific nor normal normally not note noted notes nothing now number obtained
obvious of off often old on once one only onset open or order other otherwise our out outside over overall own pain part partial partially particular
past patient patients pattern per perform performed perhaps period person phone please plus point poor position positive possible possibly post pre present
presents presenting previous previously prior private probable probably problem procedure process progress progression prominent proper provided pt questionable quick quite
raised range rapid rate rather ready really reason recent recently recommend recommended recommendation reduced redo refer referred reference reformat reformats reformatted regarding region
regular related relative remain remaining remains removed repeat repeated report reported request requested req require required residual response rest result results
retake return review reviewed right room round routine rule ruled same sample satisfactory scattered screen screening second section see seen select selected send sent separate series service set
several severe severely shape sharp she short should show showed shown shows side sides sign significant significantly signs similar simple since single site
size slight slightly slow small smaller so soft solid some soon special specific spot stable standard standing start started state status stay stop straight
strong study studies subsequent subtle such sudden suggest suggested suggesting suggestive suggests superior support surface suspect suspected suspicion suspicious symptom symptoms system
take taken tech technique test than that the their them then there therefore these they thick thickening thickness thin thing third this those though three through throughout time times tiny to
today together tolerated too top total toward towards trial true try twice two type typical under undergo underlying unable unchanged unclear unit unknown unless
unlikely unremarkable until up upper use used useful using usual usually vague value various very via view viewed views visible visit visualized was way we weak week weeks
well were what when where whether which while white who whole whose why wide widespread will with within without woman work workstation worse worsening would wo w y year years yes yet young
january february march april june july august september october november december monday tuesday wednesday thursday friday saturday sunday
one two three four five six seven eight nine ten zero first second third primary secondary tertiary
hx rx dx sx tx fx bx cx sp sob r/o ro wnl nad s/p fu eval prn stat asap po iv im sc npo incl excl approx
accident ambulatory inpatient outpatient ward clinic hospital icu er ed or ccu nicu micu picu trauma portable bedside mobile
male female man boy girl woman infant newborn neonate neonatal pediatric paediatric pregnant pregnancy gravid fetus fetal adult elderly
caucasian white black african american asian hispanic latino latina native indian pacific islander european arab mixed ethnic ethnicity ancestry smoker nonsmoker pregnant
canine feline equine dog cat horse phantom qa qc calibration dummy test tests testing demo sample research anonymous anonymized anonymised removed unknown undefined unspecified
`;

const ANATOMY = `
abdomen abdominal abd acetabular acetabulum achilles acoustic acromioclavicular acromion adenoid adnexa adnexal adrenal alveolar ampulla anal aneurysmal ankle annulus antecubital
anterior anteroposterior antrum anus aorta aortic aortoiliac apex apical appendix appendiceal aqueduct arm arterial arteries artery articular articulation ascending atlas atria atrial atrium auditory auricle axial axilla axillary axis azygos
basal basilar basilic biceps bicipital bile biliary bladder body bone bones bony bowel brachial brachiocephalic brain brainstem breast breasts bronchi bronchial bronchus buccal bursa buttock caecum calcaneal calcaneus calf callosum calvarial calvarium canal capitate
capsular capsule cardia cardiac carina carotid carpal carpus cartilage cauda caudal caudate cavity cecum celiac cephalic cerebellar cerebellum cerebral cerebri cerebrum cervical cervix chest choana chorda choroid circumflex cisterna clavicle clavicular cochlea coccyx colic colon colonic column common conus coracoid cord cornea coronal coronary corpus cortex cortical costal
costochondral costophrenic cranial cranium cribriform cruciate cruris cubital cuboid cuff cuneiform cusp deltoid dental dentition diaphragm digit digital disc disk discs disks distal dorsal duct ductal ducts ductus duodenal duodenum dura dural ear ears elbow elbows endocardium endometrial endometrium
epicardial epicardium epicondyle epididymis epidural epigastric epigastrium epiglottis epiphyseal epiphysis esophageal esophagus ethmoid ethmoidal eustachian extracranial extremities extremity eye eyes eyelid face facet facets facial falx fascia fascial fat femoral femur fibula fibular finger fingers flank flexor foot feet foramen foramina foraminal forearm forehead fossa fovea frontal fundus gallbladder ganglia ganglion gastric gastrocnemius gastrointestinal gastroesophageal genital genitourinary gi gu gingiva gland
glands glenohumeral glenoid globe globes globus glottic glottis gluteal gluteus great groin gyrus hallux hamate hamstring hand hands head heart heel hemidiaphragm hemisphere hepatic hilar hilum hindfoot hip hips hippocampal hippocampus humeral humerus hyoid hypopharynx hypothalamus iac ileal ileocecal ileum iliac iliacus ilium infraorbital infrapatellar infraspinatus
inguinal innominate insula interatrial intercondylar intercostal interlobar internal interphalangeal intervertebral interventricular intestinal intestine intracranial intrahepatic introitus iris ischium ischial isthmus jaw jejunal jejunum joint joints jugular kidney kidneys knee knees labrum labral lacrimal lamina larynx laryngeal lateral latissimus leaflet leg legs lens leptomeninges lid ligament ligaments limb limbs lingual lingula lip lips liver lobar lobe lobes lobule loin lumbar
lumbosacral lunate lung lungs lymph lymphatic malleolar malleolus mammary mandible mandibular manubrium marrow masseter mastoid maxilla maxillary maxillofacial meatus medial median mediastinal mediastinum medulla medullary meningeal meninges meniscal menisci meniscus mesenteric mesentery metacarpal metacarpals metacarpophalangeal metaphysis metatarsal metatarsals metatarsophalangeal midbrain midfoot midline mitral molar mouth mucosa mucosal muscle muscles muscular musculature musculoskeletal msk myocardial myocardium myometrium nasal nasopharyngeal nasopharynx navicular neck nerve nerves neural neuroforamina nipple node nodes nodal nose nostril
nuchal nucleus obturator occipital occiput ocular odontoid oesophagus olecranon omental omentum oral orbit orbital orbits oropharynx os osseous ostium ovarian ovaries ovary palate palatine palm palmar pancreas pancreatic papillary paranasal parapharyngeal paraspinal parathyroid parenchyma parenchymal parietal parotid patella patellar patellofemoral pectoral pectoralis pedicle pelvic pelvis penile penis pericardial pericardium perianal perineal perineum periosteal
peripheral peritoneal peritoneum peroneal petrous phalangeal phalanges phalanx pharynx pharyngeal pia pineal pituitary placenta plantar plantaris pleura pleural plexus pons pontine popliteal porta portal posterior posteroanterior premolar prepatellar prevertebral prostate prostatic proximal psoas pterygoid pubic pubis pulmonary putamen pyloric pylorus quadrant quadriceps radial radicular radius ramus rectal rectosigmoid rectum rectus renal retina retinal retroperitoneal retroperitoneum
rib ribs root roots rotator sacral sacroiliac sacrum sagittal salivary saphenous scalene scalp scaphoid scapula scapular sciatic sclera scrotal scrotum sella sellar semilunar septal septum sesamoid shin shoulder shoulders sigmoid sinus sinuses skeletal skeleton skin skull soft soleus spermatic sphenoid sphenoidal sphincter spinal spine spines spinous spleen splenic sternal sternoclavicular sternum stomach styloid subclavian subcutaneous submandibular subphrenic subscapularis subtalar sulcus sulci supraclavicular
suprarenal supraspinatus suture symphysis synovial synovium talar talus tarsal tarsus teeth tooth temporal temporomandibular tendon tendons tensor tentorium testes testicle testicles testicular testis thalamus thecal thenar thigh thoracic thoracolumbar thorax throat thumb thymic thymus thyroid tibia tibial tibiofibular toe toes tongue tonsil tonsillar torso trabecular trachea tracheal tracheobronchial transverse trapezium trapezius trapezoid triceps tricuspid trigeminal triquetrum trochanter trochanteric trochlea trunk tube tuberosity turbinate tympanic
ulna ulnar umbilical umbilicus uncinate ureter ureteral ureters urethra urethral urinary uterine uterus uvula vagina vaginal vagus valve valves valvular vascular vein veins vena cava venous ventral ventricle ventricles ventricular vermis vertebra vertebrae vertebral vesical vesicle vessel vessels vestibular viscera visceral vitreous vocal volar vomer vulva windpipe wrist wrists xiphoid zygoma zygomatic zygapophyseal
lad lca rca lcx lmca lima rima svg ica eca cca mca aca pca pcom acom sma ima ivc svc pv mpv lv rv la ra lvot rvot ao pa cbd gb gej si sij tmj acl pcl mcl lcl atfl tfcc
`;

const FINDINGS = `
abnormal abnormality abnormalities abrasion abscess acute adenocarcinoma adenoma adenomatous adenomyosis adenopathy adhesion adhesions adhesive aerated aeration agenesis air allergic allergy allergies aids alcoholic amputation amyloid anaphylaxis anemia anaemia aneurysm aneurysms angina angioma angiomyolipoma angiosarcoma anomalies anomalous anomaly anterolisthesis anxiety aplasia apnea appendicitis arrest
arrhythmia arteriosclerosis arteriosclerotic arteriovenous arteritis arthritic arthritis arthropathy arthrosis artifact artifacts artefact asbestosis ascites aspiration asthma astrocytoma asymmetric asymmetrical asymmetry ataxia atelectasis atheroma atherosclerosis atherosclerotic atresia atrophic atrophy attenuation autoimmune avm avulsion bacterial barotrauma birads bleed bleeding bloating blood blunting blurred blurring bowing bradycardia breath breathing bronchiectasis bronchiolitis bronchitis bruise bulge bulging
bulla bullae bullous bunion burn bursitis calcific calcification calcifications calcified calculi calculus callus cancer cancerous candidiasis carcinoid carcinoma carcinomatosis cardiomegaly cardiomyopathy cataract cavernoma cavernous cavitary cavitation cellulitis cerebrovascular chemotherapy cholangiocarcinoma cholangitis cholecystitis choledocholithiasis cholelithiasis cholesteatoma chondroma chondromalacia chondrosarcoma chronic cirrhosis cirrhotic claudication clot coarctation cold colic colitis collapse collapsed collection collections coma comminuted
compression concussion confluent confusion congenital congested congestion congestive conjunctivitis consolidation consolidations constipation constriction contour contours contracture contusion convulsion copd cough craniopharyngioma crepitus crush cva cyanosis cyst cystic cystitis cysts deafness death debris decompensated deficiency deficit deformed deformity degenerated degeneration degenerative dehiscence dehydration delayed delirium dementia demyelinating demyelination density densities depressed
depression dermatitis dermoid desiccation destruction deviation diabetes diabetic diarrhea diarrhoea diffuse dilatation dilated dilation diplopia discitis discharge discomfort disease diseases dislocated dislocation disorder displaced displacement disruption dissection distended distension distress diverticula diverticular diverticulitis diverticulosis diverticulum dizziness dropsy dry dysfunction dysmorphic dyspepsia dysphagia dysphasia dysplasia dysplastic dyspnea dyspnoea dystrophic dystrophy dysuria
eccentric echogenic echogenicity ectasia ectatic ectopic eczema edema edematous effacement effused effusion effusions embolic embolism embolization embolus emphysema emphysematous empyema encapsulated encephalitis encephalomalacia encephalopathy enchondroma endocarditis endometrioma endometriosis engorgement enhancement enhances enhancing enlargement enteritis enthesopathy eosinophilic ependymoma epidermoid epilepsy epileptic epistaxis erosion erosions erosive erythema esophagitis eventration ewing exacerbation
exophytic exostosis exposure exposures extension extra extravasation extrusion exudate failure faint fall falls fallen fatigue fatty fever fibroadenoma fibroid fibroids fibroma fibrosis fibrotic fibrous fissure fistula flattening flow fluid focal foci focus foreign fracture fractured fractures fragment fragmentation fragments free fungal fusion gait gallstone gallstones gangrene gas gastritis gastroenteritis genetic giant glaucoma glioblastoma glioma gliosis goiter goitre gout granuloma granulomas granulomatous
growth gunshot haemangioma haematoma haematuria haemorrhage haemorrhagic haemothorax hamartoma headache headaches healed healing hearing heartburn hemangioblastoma hemangioma hemangiomas hematoma hematuria hemiparesis hemiplegia hemoptysis hemorrhage hemorrhagic hemorrhoids hemosiderin hemothorax hepatitis hepatocellular hepatoma hepatomegaly hepatosplenomegaly hernia hernias herniated herniation herpes heterogeneous heterotopic hiatal hiatus hiv hoarseness homogeneous hot hydatid hydrocele hydrocephalus hydronephrosis hydroureter hygroma hyperacute hyperdense hyperdensity hyperechoic hyperinflation
hyperintense hyperintensities hyperintensity hyperlucent hyperparathyroidism hyperplasia hyperplastic hypertension hypertensive hyperthyroidism hypertrophic hypertrophy hypodense hypodensity hypodensities hypoechoic hypointense hypointensity hypoplasia hypoplastic hypotension hypothyroidism hypovolemia hypoxia hypoxic ileus immune immunocompromised impacted impaction impairment impingement incarcerated incidental incisional incompetence incontinence infarct infarction infarcts infected infection infections infectious infective infestation infiltrate infiltrates infiltrating infiltration infiltrative inflamed inflammation inflammatory influenza injured
injuries injury instability insufficiency intact interstitial intraaxial intracapsular intraductal intraluminal intramural intussusception invasion invasive ischemia ischaemia ischemic itching jaundice keloid ketoacidosis kyphoscoliosis kyphosis laceration lacerations lacunar laxity leak leakage leiomyoma leiomyosarcoma lesion lesions lethargy leukemia leukaemia leukoencephalopathy leukomalacia lipoma lipomas lipomatosis liposarcoma lithiasis lobulated loculated loosening lordosis loss lucencies lucency lucent lump lumps lupus luxation lymphadenopathy lymphangioma lymphangitic lymphocele lymphoid lymphoma lytic
malabsorption malaise malalignment malformation malignancy malignant malrotation malunion mass masses mastitis mastectomy mastoiditis measles medulloblastoma mediastinitis melanoma melena meningioma meningiomas meningitis meningocele mesothelioma metaplasia metastases metastasis metastatic mets microadenoma microcalcification microcalcifications microcephaly migraine migration mineralization miscarriage misalignment motion mottled movement mucocele mucoid mucosal mucous mucus multifocal multilevel multilocular multinodular murmur mycetoma myalgia myelitis myeloma myelomalacia myelopathy myelofibrosis myopathy myositis myxoma narrowed narrowing nausea necrosis
necrotic necrotizing neoplasia neoplasm neoplastic nephritis nephrocalcinosis nephrolithiasis nephropathy neuralgia neurinoma neuritis neuroblastoma neurofibroma neurofibromatosis neurological neuroma neuropathy neutropenia nidus nodular nodularity nodule nodules nonunion numbness obese obesity oblique obliteration obscured obstructed obstructing obstruction obstructive occluded occlusion occlusive occult oedema oligodendroglioma opacification opacified opacities opacity osteoarthritis osteoblastic osteochondral osteochondritis osteochondroma osteolysis osteolytic osteoma osteomalacia osteomyelitis
osteonecrosis osteopenia osteopenic osteophyte osteophytes osteophytic osteophytosis osteoporosis osteoporotic osteosarcoma osteosclerosis otitis overload pain painful pale palpable palpitations palsy pancreatitis pancytopenia panniculitis papilledema papilloma paraganglioma paralysis paraplegia paresis paresthesia pathologic pathological pathology patchy patent penetrating perforated perforation perfusion pericarditis periostitis peritonitis persistent phlebitis phlebolith phleboliths plaque plaques plaquing pleurisy pneumatosis pneumoconiosis pneumocystis pneumomediastinum pneumonia pneumonic pneumonitis pneumoperitoneum pneumothorax pneumothoraces
poisoning polycystic polyp polypoid polyps polytrauma posttraumatic prolapse proliferation proliferative protruding protrusion prostatitis prostatism pseudoaneurysm pseudocyst pseudotumor psoriasis psoriatic psychosis ptosis punctate purulent pus pyelonephritis pyogenic radiculopathy radiopaque radiolucent rash reaction reactive recurrence recurrent redundant reflux regional regression regurgitation rejection renal resection resolution resolved resolving respiratory restriction restrictive retention reticular reticulation reticulonodular retrolisthesis rheumatic rheumatoid rickets rotation ruptured rupture
saddle sarcoid sarcoidosis sarcoma scar scarring scars schwannoma sciatica sclerosing sclerosis sclerotic scoliosis scleroderma seizure seizures sepsis septate septic seroma shadow shadowing shift shock shortness shunt shunting sialadenitis silicosis sinusitis sinusoidal sludge smoker smoking snoring spasm spasticity spiculated spina splenomegaly spondylitis spondyloarthropathy spondylolisthesis spondylolysis spondylosis sprain spur spurring spurs squamous stab stable staghorn stasis steatosis stenoses stenosis stenotic stiffness stone stones strain stranding streak stress stricture stroke subacute subarachnoid subdural
subluxation sunken suppurative surgical swallowing swelling swollen symmetric symmetrical symmetry syncope syndesmophyte syndrome syndromes synostosis synovitis syphilis syringomyelia syrinx systemic tachycardia tamponade tear tears tenderness tendinitis tendinopathy tendinosis tenosynovitis teratoma tethered thrombocytopenia thromboembolic thromboembolism thrombophlebitis thrombosed thrombosis thrombotic thrombus thyroiditis thyrotoxicosis tia tinnitus torn torsion tortuosity tortuous toxic toxicity toxoplasmosis tracheomalacia tracheostomy traction transient transplant transplanted transplantation trauma traumatic tremor tuberculosis tuberous tumor tumors tumour tumours turbulent
ulcer ulcerated ulceration ulcerative ulcers unremarkable uremia urinoma urolithiasis uveitis vague valgus varices varicocele varicose varus vasculitis vasospasm vegetation vertigo vesicoureteral viral vitiligo volvulus vomiting weakness wedge weight wheezing widened widening wound wounds xanthoma
adl bph cad chf ckd copd crf ct cvst dvt esrd gerd hcc htn ibd ild lbp mi ms nsclc nstemi osa pe pna ra rcc sah sdh sle tb tbi uti
`;

const PROTOCOL = `
abdo abdomenpelvis acquisition acq adc add administered algorithm angio angiogram angiogram angiography angioplasty aortogram ap arterial arteriogram arteriography arthrogram arthrography asir asl ast attenuation autofocus average averaged ax axi axial barium bas baseline biopsy bmd bolus bone bold bowtie bravo breathhold bh bw caesium calcium caps capsule catheter catheterization cbf cbv cine cemra cerebral chemical cholangiogram cholangiography cholangiopancreatography cinematic cisternography ciss clip clips coil coils collimator
colonography colonoscopy comp complete compress cone contrast conventional cor coro coronal coronaries corrected cranio craniotomy creatinine cross ct cta ctp ctv cubes cube curve curved cystogram cystography cystoscopy dbt dce decubitus delay delayed delays dent derived detector dexa diffusion digital diff diag diagnostic dixon doppler dose dosimetry dotarem double drain drainage drains dsa dti dual duplex dwi dynamic early echo echocardiogram echocardiography ecg ekg eeg electrode electrodes elastography enema endoscopic endoscopy endotracheal enteroclysis enterography enhanced
epi ercp esophagram excretory exercise expiration expiratory extension external fast fat fatsat fdg ff fiesta field filter flair flash flat flexion fiducial fluoro fluoroscopic fluoroscopy fluorine fmri focal fov frontal fs fse fsems fspgr full function functional fused gad gadavist gadolinium gallium gamma gantry gate gated gating gauss gauze glucose gre gradient graft grafts grid guidance guided guidewire haste helical hemodialysis heparin hida hifu high hires hrct hsg hydro hysterosalpingogram hysterosalpingography hysterectomy iac image imrt indium infusion ingested inhalation inj injected injection inp insertion inspiration inspiratory
instrument instrumentation intake interleaved intervention interventional intravenous intraoperative intubated intubation inversion iodinated iodine iohexol iopamidol ir iso isocenter isovue isotropic isovoxel ivp kub kernel kidney kv kvp ka kvp ma mas landmark laparoscopic laparotomy lat lateral lateromedial lead leads linac line lines lipiodol liver lo loc localizer localiser locator lokal long loop low lumpectomy lung lymphoscintigraphy magnevist magnitude mag mammo mammogram mammography manual mapping marker markers mask mastectomy maximum mdct measurement mesh
metal metallic mdp mibg mibi microspheres midline mip minip mlo mldl mobile mode modulation monitor mosaic motion mpgr mpr mprage mr mra mrcp mri mrs mrv mt mtc mtt multi multiphase multiplanar multislice multiecho myelogram myelography myocardial nasogastric native nephrostogram nephrostomy neuro neutral ng nm noise noncon noncontrast none nonenhanced nuclear obl oblique obliques occlusal odontogram omni omnipaque opacified open optiray oral organ orthogonal orthopantomogram oxygen pacemaker pacing pack panoramic panorex parallel parasagittal partial patch path pc pca pd pdfs pdw peak pedicle pedicles peg
percutaneous perf perfusion permanent pet phase phases phased picc pin pinned pins pitch plain planar planning plan plate plates plus pneumonectomy portal portography portovenous positron postop postoperative postcontrast posteroanterior preop preoperative precontrast presat pressure primary probe procedure processed processing projection prone propeller prospective prosthesis prosthetic prostatectomy proton protocol provocation pulse pump puncture pyelogram pyelography qct quant quantitative radial radiation radiofrequency radiograph radiographic radiographs radiography radiologic radiology radiopharmaceutical radionuclide radiotherapy radiation ramp rao lao rapid raw ray rays realtime recon
recons reconstruction reconstructions recumbent reduction reference reformation reformations registration removal renal renogram repair repaired reprocessed research resection reservoir resolution resp resting retrograde retro retrospective rf roi rois rotational rotation rot runoff sag sagittal sat saturated saturation saline scan scanned scanogram scans scanner scint scintigraphy scintigram scout screw screws sedation segment segmental segmentation segmented seldinger sense sequence sequences sequential serial setup shaded shimming short shunt shuntogram sialography sigmoidoscopy signal sim simulation sinogram skyline slab slice slices slicer slow smooth sonar sonogram sonography sono sos spc space spect spectral
spectroscopy spgr spin spine spiral splint spoiled spot standard standing staple staples stapled static stent stented stents stenting step stereo stereotactic stereotaxic sternotomy stir strain stress subtraction subtracted subtract sunrise supine support surgery surveillance surview survey suture sutures svr swan swallow swi swim swimmer sws system table tag tagged tangential targeted technetium telemetry template tendon tesla test tfe therapeutic therapy thallium thin three throughput thymectomy tilt tiltx time tips tirm tof tomo tomogram tomography tomosynthesis topo topogram total towne tra trace tracer tract transabdominal
transaxial transcatheter transcranial transducer transesophageal transfer transhepatic transit transjugular translation transmission transrectal transthoracic transvaginal transverse treadmill treated treatment trigger triggered trufi trufisp tse tube tubes turbo turboflair tumescence twist ultra ultrasonic ultrasonography ultrasound ultravist unenhanced uni upright urogram urography us usg vac vaccum valsalva varian vascular vaso velocity venc venogram venography venous ventilation verification vertex vibe video view views virtual visipaque vol volume volumetric volumes voiding voxel voxels vcug wash washin washout wave waters wb wbc wedge weighted weighting whole wide width window windowed windowing wire wires
xa xr xray xrays xrt yttrium zoom zoomed stitched stitching collage summary screenshot capture secondary key objects presentation state parametric
ptv gtv ctv itv oar oars couch bolus beam beams arc arcs vmat imrt sbrt srs hdr ldr isocentre fraction fractions boost gy cgy jaw mlc field fields tray applicator portal
ac acr ajax amp ant asc avg avf avl avr bil bilat bx calc cc ce cect chol circ cmt cns con cont cp crani cspine tspine lspine ctdi dlp dlyd des dicom dist dlp cr dx mg io px pt nm ot rf sc sm xc opt oct ecg hd kos sr seg reg rtdose rtstruct rtplan rtimage doc inf lt rt ll rl ul ur lul lll rul rml rll luq ruq llq rlq mlo cco xcc ml lm sio fb iso el ei di mar mbir idose safire admire veo dls fbp osem tof psf psftof gauss hann hamming butterworth shepp logan wnr bright
hounsfield hu suv suvmax suvbw bqml cps cpm counts mci mbq kbq kev mev ml mg kg lb cm mm um nm mmol mol msec sec min hr hz khz mhz ghz ppm db deg rad rpm bpm fps mgy msv usv
microvolt millivolt volt microgram milligram gram kilogram millimeter millimetre centimeter centimetre meter metre micrometer liter litre milliliter second millisecond newton pascal joule watt kelvin celsius becquerel curie gray sievert tesla percent ratio index
headfirst feetfirst supine prone decubitus recumbent standing seated petct petmr spectct ctac mrac nac attn attncorr uncorrected standardized standardised uptake lean bodyweight lbm bsa ecc wo woc nocontrast withcontrast pre pst delay dly arterialphase venousphase smartprep bolustrack bolustracking surestart premonitoring monitoring caredose dosereport protocolname patientprotocol mr ms dr id
artificial intelligence automatic semiautomatic manual detection classification probability confidence score heatmap overlay mask model inference
microscope slide specimen tissue stain stained hematoxylin eosin haematoxylin brightfield fluorescence illumination spectrum paraffin embedding fixation formalin block cassette section smear cytology histology immunohistochemistry antigen
`;

/** Body parts as one word, as Body Part Examined (0018,0015) has them (PS3.16 Annex L). */
const BODY_PARTS = `
abdomenpelvis acjoint antecubitalv atlantoaxial atlantooccip baclvein bileduct biliarytract brainstem chestabdomen chestabdpelvis chestabd cervix claviclesnd colorectal csp cspine cranialfossa cubitalfossa duodenum ctspine ctjunction
endoarterial endocardiac endoesophageal endometrium endonasal endonasopharyn endorectal endorenal endoureteric endourethral endovaginal endovascular endovenous endovesical extremity femoralartery femoralvein
forefoot genitalia headneck headbrain hippocampus humeralhead hypogastric iliacartery intestine jointspace lspine lsspine ltspine lexrtemity lowerlimb lowerleg lowerextremity maxillofacial neckchest neckchestabdomen neckchestabdpelv nosesinus orbitals panoramic patellofemoral
pelvislowextremt penis popliteal pulmonaryartery radiusulna retroperitoneum sacrococcygeal scjoint shoulderjoint sijoint sinuses skullbase spinalcord spinecerv splenic ssp sternoclavicular subclavian tlspine tspine tmjoint tibiafibula thoracolumbar totalbody uexremity upperarm upperlimb upperextremity ureters vertebra wholebody wholespine wrightjoint zygoma
`;

/** How an image was made and stored, and the words of electrocardiography. */
const TECHNOLOGY = `
jpeg jpg jp2 jpegls png rle mpeg hevc htj2k dicom codec lossless lossy near irreversible reversible compressed uncompressed compression decompressed deflated palette rgb ybr monochrome mono2 greyscale grayscale color colour bit bits byte signed unsigned converted conversion convert interleave interleaved progression progressive sequential selection point transform quality factor ratio rescaled scaled rescale lut luts voi icc ijg pixel pixels multiframe singleframe frame frames original generated derived resampled cleaned removed remap remapped descriptors option identified identifying deidentified dose event
seq se ob ai syn ls memprage combined lax iv ivcon yrs unchanged scrambled features dataset classic legacy rapport tap helices oval rectangle ellipse circle polygon freehand annotation annotations nuclei cell cells dapi fluor quad dual stack multistack rms adc fa
qt qtc qrs pr rr pp st jt rhythm sinus bpm ii iii iv vi vii viii ix xi xii c1 t1w t2w pdw ns nd spc rst gr hpe ed sys dia onset offset averages
connective metabolic glycolysis quarter library heading group groups language english german french spanish italian dutch japanese chinese korean illness fidelity neutral buffered staining structure consultation encounter damaged previous surgeries adrena thorax thoraco cervico lumbo sacro ileo femoro tibio fronto temporo occipito parieto spleno hepato reno thoracoabdominal freeform sans
`;

/** Body parts and sides as hospitals elsewhere write them: German, French, Dutch, Spanish, Italian, Scandinavian. */
const OTHER_LANGUAGES = `
kopf schadel hirn gehirn hals brust lunge herz bauch becken wirbelsaule hws bws lws rucken schulter oberarm unterarm ellenbogen hand handgelenk finger daumen hufte oberschenkel unterschenkel knie sprunggelenk fuss zehe leber niere nieren milz blase gelenk seitlich links rechts beidseits quer sagittal koronar mit ohne kontrastmittel nativ aufnahme untersuchung und der die das
tete crane cerveau cou thorax poumon coeur abdomen bassin rachis cervical dorsal lombaire epaule bras avant coude poignet main doigt hanche femur genou cheville pied foie rein rate vessie gauche droite droit profil avec sans injection contraste face et de du la le les
hoofd hersenen nek borst hart buik bekken wervelkolom schouder elleboog pols hand heup knie enkel voet lever nier milt punctie biopsie cilinderbiopsie zonder met en van
cabeza craneo cerebro cuello torax pulmon corazon pelvis columna hombro brazo codo muneca mano dedo cadera rodilla tobillo pie higado rinon bazo vejiga izquierda derecha izquierdo derecho con sin contraste y
testa cranio encefalo collo torace polmone cuore addome bacino anca colonna spalla gomito polso mano dito ginocchio caviglia piede fegato rene milza vescica sinistra destra sinistro destro senza mezzo di contrasto
hode hjerne hals bryst lunge hjerte mave baekken backen ryg rygg skulder albue handled hand hofte hoft knae kna ankel fod fot lever nyre venstre hojre vanster hoger uden utan med kontrast og och
`;

const DEVICES = `
acme advanced affinity agfa airo hermes lumisys cemax hypaque mobiview allura aloka analogic aplio aquilion artis avanto axiom azurion biograph brightspeed brilliance canon carestream centricity cirrus definition discovery drager elekta elscint epiq esaote espree fuji fujifilm fonar gehc gendex genesis gyroscan heidelberg hitachi
hologic ingenia ingenuity innova innovation intera kodak konica kretz leica lightspeed logiq magnetom mammomat mediso medison medrad merge mindray minolta mobilett multistar nemoto neusoft nikon olympus oec optima orthoscan philips picker planmeca prisma prodigy profound revolution samsung selenia sensation senographe shimadzu siemens signa sirona skyra sonosite somatom somaris symbia symphony syngo terarecon titan topcon toshiba trio trophy truebeam uih ultrasonix umass varian verio vidar vingmed visage vivid voluson ysio zeiss zonare healthineers healthcare medical systems
ge vct smt osirix dcmtk gdcm pydicom dicom pacs ris worklist workstation software version corporation inc ltd gmbh llc co company products imaging technologies instruments
`;

/** Diseases and signs named after people: kept where the noun that makes them one follows. */
export const EPONYMS = setOf(`
addison alport alzheimer apert asherman baker barrett basedow bartter becker bechterew behcet behçet bell bence bennett boerhaave bouchard bowen bright broca brodie brown brugada budd burkitt buerger caplan caroli castleman chagas charcot chiari chiari colles conn cooley crohn cronkhite cushing
dandy danlos darier degos denys devic dressler dubin duchenne dupuytren ebstein ehlers eisenmenger epstein erb erdheim ewing fabry fallot fanconi felty fitz fordyce freiberg friedreich galeazzi gardner gaucher gilbert goodpasture gorlin graves guillain guyon haglund hartnup hashimoto heberden henoch hirschsprung hodgkin hoffa horner horton huntington hurler
jefferson jones kaposi kartagener kashin kawasaki kienbock kienböck klatskin klinefelter klippel kohler köhler korsakoff krukenberg lambert leigh leriche lewy lisfranc löffler loffler lyme lynch maffucci maisonneuve mallory marfan mccune meckel meige meniere ménière merkel mirizzi monteggia morgagni morquio morton müllerian niemann noonan ollier
osgood osler paget pancoast parkinson perthes peutz peyronie pick plummer pompe pott potter prader purtscher quervain raynaud refsum reiter rett reye riedel rendu rosai sanders sanfilippo scheuermann schatzki schlatter schmorl segond seldinger sever sheehan sjogren sjögren smith sneddon still stevens sturge sudeck swyer takayasu tarlov
tay tourette trevor turner vater wallenberg waldenstrom waldenström wegener wernicke whipple williams wilms wilson wolff zellweger zenker zollinger
`);

export const DISORDERS = setOf(`
abscess anemia anomaly aneurysm angina arthritis arthropathy atrophy body bodies carcinoma chorea contracture cyst cysts deformity deformities dementia diaphragm disease diseases disorder diverticulum duct dystrophy dwarfism encephalopathy fracture fractures gangrene granulomatosis hernia kidney
lesion lesions lymphoma malformation muscle neuroma node nodes palsy paralysis phenomenon procedure psoriasis pseudotumor ring sarcoma shunt sign sydrome syndrome tetralogy thyroiditis tic triad tumor tumour ulcer
`);

/** Their names are part of what the instrument does. */
const TECHNICAL_NAMES =
  'einthoven goldberger hounsfield doppler gauss fourier hann hamming butterworth shepp logan ramachandran lakshminarayanan dixon tesla gray becquerel sievert curie celsius kelvin fowler trendelenburg sims towne waters caldwell rhese stenvers';

/** A person's name follows these, or stands before them. */
export const TITLES = setOf(
  'dr drs doctor doc mr mrs ms miss mister prof professor md phd frau herr mme madame monsieur sra senor señor señora dott dona',
);
export const NAME_FOLLOWS = setOf(
  'for by ref tech contact physician radiologist technologist technician operator nurse cc attn signed name called named',
);
/** After these stands who did it; not after "for" and "ref", where a word is more often just a word. */
export const PERSON_FOLLOWS = setOf(
  'physician radiologist technologist technician operator nurse cc attn signed named called',
);
/** "By" is followed by a person after these, and by anything after others ("followed by long axis views"). */
export const DONE_BY = setOf(
  'read reported performed signed referred ordered requested reviewed verified dictated done transcribed approved seen scanned acquired entered',
);
/** Common words of this vocabulary that are as common as family or given names. */
export const NAME_LIKE = setOf(
  `white young green ward gray long wells burns dixon black stone hart ray sims fields little day fowler may mark gene max rod van
will april june august case block head foot back short cross crane swan sharp small strong key lock gates bridge marsh field pool waters`,
);
/** Alternatives of a regular expression; abbreviations that mean something else in medicine (dr, st) are left out. */
export const STREETS =
  'street|lane|ln|road|rd|avenue|ave|drive|boulevard|blvd|terrace|highway|hwy|parkway|strasse|straße|str|platz|calle|plaza|laan|straat';

let words: ReadonlySet<string> | undefined;

/** True for a lower-case word that may stay in a text whoever wrote it. */
export function isCommonWord(word: string): boolean {
  words ??= commonWords();
  return words.has(word) || (word.length > 3 && word.endsWith('s') && words.has(word.slice(0, -1)));
}

function commonWords(): ReadonlySet<string> {
  const all = new Set([
    ...setOf(STANDARD_WORDS),
    ...setOf(CONCEPT_WORDS),
    ...setOf(GENERAL),
    ...setOf(ANATOMY),
    ...setOf(FINDINGS),
    ...setOf(PROTOCOL),
    ...setOf(BODY_PARTS),
    ...setOf(TECHNOLOGY),
    ...setOf(OTHER_LANGUAGES),
    ...setOf(DEVICES),
    ...setOf(TECHNICAL_NAMES),
  ]);
  for (const word of setOf(NOT_FROM_THE_STANDARD)) all.delete(word);
  return all;
}

function setOf(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
